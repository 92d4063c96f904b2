//! Issues an admin token.

use zeroize::Zeroizing;

use super::input::NewToken;
use crate::error::Error;
use crate::events::{AdminEvent, Event};
use crate::jwt;
use crate::model::{Actor, AdminToken, CredentialDigest, Escaped, Timestamp};
use crate::random;
use crate::service::Service;

/// Issues an admin token. This is the only time that the JWT itself is known.
pub async fn create(
    service: &Service,
    new: NewToken,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(AdminToken, Zeroizing<String>), Error> {
    let secret = service.config.jwt_secret()?;
    // The claim is in whole seconds, and the row must hold the same instant.
    let expires_at = now
        .plus_seconds(new.expires_in_seconds.into())
        .whole_seconds();
    let mut rng = random::generator()?;
    let token = AdminToken {
        id: random::id(&mut rng),
        name: new.name,
        description: new.description,
        is_active: true,
        permissions: new.permissions,
        expires_at: Some(expires_at),
        created_at: now,
        updated_at: now,
        last_used_at: None,
        rotated_at: None,
        previous_token_expires_at: None,
    };
    let jwt = jwt::sign(
        secret,
        &token.id,
        &token.name,
        random::id(&mut rng),
        now,
        expires_at,
    )?;
    service
        .store
        .insert_admin_token(&token, &CredentialDigest::of(&jwt).lookup())
        .await?;
    let issued = AdminEvent {
        token_id: Escaped::new(&token.id),
        name: Some(Escaped::new(&token.name)),
        actor: actor.as_ref().map(Actor::escaped),
    };
    service.record(Event::AdminIssued(issued), now);
    Ok((token, jwt))
}
