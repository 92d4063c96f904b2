//! Replaces an admin token by a new one.

use zeroize::Zeroizing;

use super::input::{DEFAULT_SECONDS, EXPIRES_IN_SECONDS, RotateToken};
use super::list::find;
use crate::error::{Conflict, Error};
use crate::events::{AdminEvent, Event};
use crate::input::rules::NAME_MAX;
use crate::jwt;
use crate::model::{Actor, AdminToken, CredentialDigest, Escaped, Timestamp};
use crate::random;
use crate::service::Service;
use crate::store::TokenRotation;

/// How often a row is tried that other writers keep changing.
const TRIES: usize = 5;

pub enum TokenRotated {
    /// The row, and the new JWT. This is the only time that it is known.
    Done(AdminToken, Zeroizing<String>),
    /// It has permissions that the caller does not hold.
    Beyond(Vec<String>),
}

/// Replaces a token. The new one has the row and its permissions, and lives as long as the replaced one was issued for. If
/// `held` is given, a token with permissions beyond these stays as it is.
pub async fn rotate(
    service: &Service,
    rotate: RotateToken,
    held: Option<&[String]>,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<TokenRotated, Error> {
    let secret = service.config.jwt_secret()?;
    for _ in 0..TRIES {
        let mut token = find(service, &rotate.id, now).await?;
        if !token.is_active {
            return Err(Error::Conflict(Conflict::TokenIsRevoked));
        }
        let beyond = held.map_or_else(Vec::new, |held| token.permissions_beyond(held));
        if !beyond.is_empty() {
            return Ok(TokenRotated::Beyond(beyond));
        }
        let (least, most) = EXPIRES_IN_SECONDS.into_inner();
        let seconds = token.seconds_of_life().unwrap_or(DEFAULT_SECONDS.into());
        let expires_at = now
            .plus_seconds(seconds.clamp(least.into(), most.into()))
            .whole_seconds();
        // Another writer's may be too long for a token.
        let name: String = token.name.chars().take(NAME_MAX).collect();
        let jti = random::id(&mut random::generator()?);
        let jwt = jwt::sign(secret, &token.id, &name, jti, now, expires_at)?;
        let rotation = TokenRotation {
            lookup: CredentialDigest::of(&jwt).lookup(),
            expires_at,
            grace_ends_at: rotate.grace_ends_at(&token, now),
            at: now,
        };
        let rotated = service.store.rotate_admin_token(&token, &rotation).await;
        // Even after an error, since the change may have been made all the same.
        service.admin_tokens.changed(&token.id);
        if !rotated? {
            continue;
        }
        token.expires_at = Some(expires_at);
        token.previous_token_expires_at = rotation.grace_ends_at;
        (token.updated_at, token.rotated_at) = (now, Some(now));
        let event = AdminEvent {
            token_id: Escaped::new(&token.id),
            name: Some(Escaped::new(&token.name)),
            actor: actor.as_ref().map(Actor::escaped),
        };
        service.record(Event::AdminRotated(event), now);
        return Ok(TokenRotated::Done(token, jwt));
    }
    Err(Error::Conflict(Conflict::TokenChanges))
}
