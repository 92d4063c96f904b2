//! Roles: named sets of scopes. They are set, listed and deleted here; `verify` looks at those of a key.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::error::{Conflict, Error};
use crate::events::{Event, RoleEvent};
use crate::input::{Fields, Value, argument, rules};
use crate::model::{Actor, Escaped, Timestamp};
use crate::service::Service;
use crate::store::RawJson;

/// The most roles: a list has all of them.
const ROLES_MAX: usize = 500;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Role {
    name: String,
    scopes: Vec<String>,
}

impl Role {
    /// Reads the input of `setRole`.
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let name = fields.required("name", rules::role);
        let scopes = fields.required("scopes", rules::scopes);
        let role = name.zip(scopes);
        fields.finish(role.map(|(name, scopes)| Self { name, scopes }))
    }
}

/// Reads the name of a role, as the only argument.
pub fn role_name(value: Value) -> Result<String, Error> {
    argument("name", value, rules::role)
}

pub async fn set(
    service: &Service,
    role: Role,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<Role, Error> {
    service.require_known(&role.scopes)?;
    let by = actor.as_ref().map(Actor::as_str);
    let set = service
        .store
        .set_role(&role.name, &role.scopes, ROLES_MAX, by)
        .await;
    // Even after an error, since the role may have been set all the same.
    service.role_changed(&role.name);
    let before = set?.ok_or(Error::Conflict(Conflict::ManyRoles))?;
    let changes = json!({ "before": before.0, "after": role.scopes });
    let changes = Map::from_iter([("scopes".to_owned(), changes)]);
    let event = event(&role.name, changes, actor.as_ref());
    service.record(Event::RoleChanged(event), now);
    Ok(role)
}

/// All roles, by their names.
pub async fn list(service: &Service) -> Result<Option<RawJson>, Error> {
    service.store.list_roles().await
}

pub async fn delete(
    service: &Service,
    name: &str,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(), Error> {
    let by = actor.as_ref().map(Actor::as_str);
    let deleted = service.store.delete_role(name, by).await;
    service.role_changed(name);
    match deleted? {
        None => return Err(Error::NotFound("Role")),
        Some(false) => return Err(Error::Conflict(Conflict::RoleIsUsed)),
        Some(true) => {}
    }
    let event = event(name, Map::new(), actor.as_ref());
    service.record(Event::RoleDeleted(event), now);
    Ok(())
}

fn event(name: &str, changes: Map<String, Json>, actor: Option<&Actor>) -> RoleEvent {
    RoleEvent {
        role: Escaped::new(name),
        changes,
        actor: actor.map(Actor::escaped),
    }
}
