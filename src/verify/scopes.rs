//! What a key holds.

use std::sync::Arc;

use crate::cache::Sequence;
use crate::cached_roles::KeyRoles;
use crate::model::{EffectiveScopes, HeldScopes, Kind};
use crate::service::Service;
use crate::store::RoleRow;

/// The roles of a key, as their rows were read from `read_at` on.
pub fn roles_of_rows(service: &Service, rows: Vec<RoleRow>, read_at: Sequence) -> KeyRoles {
    service
        .roles
        .read(rows, read_at, |scopes| held(service, scopes))
}

/// The scopes that a key holds: its own, those of its roles, and what these imply, as far as its kind allows. What a verify checks
/// and answers is decided here alone.
pub(super) fn effective_scopes(
    service: &Service,
    kind: &Kind,
    own: &EffectiveScopes,
    roles: &KeyRoles,
) -> EffectiveScopes {
    let own = match &service.config.catalogue {
        Some(catalogue) => Arc::new(catalogue.held(own.own().own().map(str::to_owned).collect())),
        None => Arc::clone(own.own()),
    };
    EffectiveScopes::new(own, roles.scopes().cloned().collect()).within(kind.allowed_scopes.clone())
}

/// What a list of scopes holds.
fn held(service: &Service, scopes: Vec<String>) -> HeldScopes {
    match &service.config.catalogue {
        Some(catalogue) => catalogue.held(scopes),
        None => HeldScopes::new(scopes),
    }
}
