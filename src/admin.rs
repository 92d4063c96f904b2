//! Admin tokens: JWTs (RFC 7519) signed with HS256, each backed by a row that can be revoked.

mod hs256;
mod input;
mod jwt;
mod permissions;
mod prove;

pub use input::{AdminContext, NewToken, token_id};
pub use jwt::TOKEN_MAX;
pub use permissions::permissions_by_name;
pub use prove::{CACHE_CAPACITY, Cache};

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::audit::{self, Attempt, Of};
use crate::error::Error;
use crate::events::{AdminEvent, Event};
use crate::model::{CredentialDigest, Timestamp};
use crate::random;
use crate::service::Service;
use crate::shown::Shown;

/// The row behind a token, without anything secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminToken {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub is_active: bool,
    /// Free strings; `*` is all.
    pub permissions: Vec<String>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
}

/// The answer to a presented token: a refusal is a value.
#[derive(Debug, PartialEq, Eq)]
pub enum AdminVerification {
    Valid(AdminToken),
    /// One answer for every token that is not valid.
    InvalidToken,
    InsufficientPermission {
        token_id: String,
    },
}

/// The only time that the token itself is known.
pub async fn create(
    service: &Service,
    new: NewToken,
    actor: Option<Shown>,
    now: Timestamp,
) -> Result<(AdminToken, Zeroizing<String>), Error> {
    let secret = jwt_secret(service)?;
    // The claim counts in seconds: the row says the same instant.
    let expires_at = now
        .plus_seconds(new.expires_in_seconds.into())
        .whole_seconds();
    let token = AdminToken {
        id: random::id(&mut random::generator()?),
        name: new.name,
        description: new.description,
        is_active: true,
        permissions: new.permissions,
        expires_at: Some(expires_at),
        created_at: now,
        updated_at: now,
        last_used_at: None,
    };
    let jwt = jwt::sign(secret, &token.id, &token.name, now, expires_at)?;
    service
        .store
        .insert_admin_token(&token, &CredentialDigest::of(&jwt).lookup())
        .await?;
    let issued = AdminEvent {
        token_id: Shown::new(&token.id),
        name: Some(Shown::new(&token.name)),
        actor,
    };
    audit::record(service, Event::AdminIssued(issued), now);
    Ok((token, jwt))
}

/// Checks the signature and the claims, then the row: it decides whether the token is revoked and what it permits.
pub async fn verify(
    service: &Arc<Service>,
    token: &str,
    context: &AdminContext,
) -> Result<AdminVerification, Error> {
    let verification = judge(service, token, context).await?;
    match &verification {
        AdminVerification::Valid(_) => {}
        AdminVerification::InvalidToken => refuse(service, "INVALID_TOKEN", None, context),
        AdminVerification::InsufficientPermission { token_id } => {
            refuse(service, "INSUFFICIENT_PERMISSION", Some(token_id), context);
        }
    }
    Ok(verification)
}

fn refuse(service: &Service, reason: &'static str, token_id: Option<&str>, context: &AdminContext) {
    let attempt = Attempt {
        of: Of::Admin,
        reason,
        token_id,
        ip: context.ip,
        claimed_ip: context.claimed_ip,
        path: context.path.as_deref(),
        ..Attempt::default()
    };
    service.audit.refuse(&attempt, Timestamp::now());
}

async fn judge(
    service: &Arc<Service>,
    token: &str,
    context: &AdminContext,
) -> Result<AdminVerification, Error> {
    let secret = jwt_secret(service)?;
    let Some(entry) = prove::prove(service, secret, token, Timestamp::now()).await? else {
        return Ok(AdminVerification::InvalidToken);
    };
    let (row, claims) = (&entry.value.token, &entry.value.claims);
    // The clock of the answer: the database may have taken its time.
    let now = Timestamp::now();
    let expired = row.expires_at.is_some_and(|at| at <= now);
    if !row.is_active || expired || !claims.hold_at(now) {
        return Ok(AdminVerification::InvalidToken);
    }
    if !context
        .permission
        .as_ref()
        .is_none_or(|asked| permits(&row.permissions, asked))
    {
        return Ok(AdminVerification::InsufficientPermission {
            token_id: row.id.clone(),
        });
    }
    service.usage.record_admin_token(&row.id, now);
    Ok(AdminVerification::Valid(row.clone()))
}

pub async fn list(service: &Service) -> Result<Vec<AdminToken>, Error> {
    service.store.list_admin_tokens().await
}

pub async fn revoke(
    service: &Service,
    id: &str,
    actor: Option<Shown>,
    now: Timestamp,
) -> Result<(), Error> {
    let revoked = service.store.revoke_admin_token(id, now).await;
    // Also after a fault: the change may have been made all the same.
    service.admin_tokens.changed(id);
    if !revoked? {
        return Err(Error::NotFound("Admin token"));
    }
    let revoked = AdminEvent {
        token_id: Shown::new(id),
        name: None,
        actor,
    };
    audit::record(service, Event::AdminRevoked(revoked), now);
    Ok(())
}

/// Exactly, or by `*`: permissions have no wildcard inside.
fn permits(held: &[String], asked: &str) -> bool {
    held.iter()
        .any(|permission| permission == "*" || permission == asked)
}

fn jwt_secret(service: &Service) -> Result<&str, Error> {
    match &service.config.jwt_secret {
        Ok(secret) => Ok(secret.expose()),
        Err(why) => Err(Error::Configuration(why.clone())),
    }
}
