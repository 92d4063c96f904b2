//! Verifies an admin token: the signature and the claims, then the row.

use std::sync::Arc;

use super::authenticate::authenticate;
use super::input::AdminContext;
use crate::audit::{Attempt, Claims, CredentialKind};
use crate::cached_token::CachedToken;
use crate::error::Error;
use crate::model::{AdminRefusal, AdminToken, VALID};
use crate::service::Service;

/// The answer to a presented token: a refusal is a value.
#[derive(Debug, PartialEq, Eq)]
pub enum AdminVerification {
    Valid(AdminToken),
    Refused(AdminRefusal),
}

impl AdminVerification {
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Valid(_) => VALID,
            Self::Refused(refusal) => refusal.code(),
        }
    }
}

/// Checks the signature and the claims, then the row, which decides whether the token is revoked and what it permits.
pub async fn verify(
    service: &Arc<Service>,
    token: &str,
    context: &AdminContext,
) -> Result<AdminVerification, Error> {
    let Some(row) = valid_token(service, token).await? else {
        return Ok(refuse(service, AdminRefusal::InvalidToken, None, context));
    };
    let permitted = context
        .permission
        .as_ref()
        .is_none_or(|permission| row.permits(permission));
    if !permitted {
        let refusal = AdminRefusal::InsufficientPermission;
        return Ok(refuse(service, refusal, Some(&row.id), context));
    }
    service.usage.record_admin_token(&row.id, service.now());
    Ok(AdminVerification::Valid(row))
}

/// The row of a token that is valid now; `None` for any other string.
async fn valid_token(service: &Arc<Service>, token: &str) -> Result<Option<AdminToken>, Error> {
    let secret = service.config.jwt_secret()?;
    let Some(entry) = authenticate(service, secret, token, service.now()).await? else {
        return Ok(None);
    };
    let CachedToken {
        token: row,
        ends_at,
        claims,
    } = &entry.value;
    // Read the clock again: authentication may have waited for the database.
    let now = service.now();
    let has_ended = ends_at.is_some_and(|at| at <= now);
    let is_valid = row.is_active && !has_ended && claims.hold_at(now);
    Ok(is_valid.then(|| row.clone()))
}

/// Counts a refused attempt, for operators and the audit log.
fn refuse(
    service: &Service,
    refusal: AdminRefusal,
    token_id: Option<&str>,
    context: &AdminContext,
) -> AdminVerification {
    let attempt = Attempt {
        credential: CredentialKind::AdminToken,
        reason: refusal.code(),
        token_id,
        ip: context.ip,
        ..Attempt::default()
    };
    let claims = || Claims {
        ip: context.claimed_ip,
        path: context.path.clone(),
    };
    service.audit.refuse(&attempt, claims, service.now());
    AdminVerification::Refused(refusal)
}
