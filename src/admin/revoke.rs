//! Revokes an admin token.

use crate::error::Error;
use crate::events::{AdminEvent, Event};
use crate::model::{Actor, Escaped, Timestamp};
use crate::service::Service;

pub async fn revoke(
    service: &Service,
    id: &str,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(), Error> {
    let revoked = service.store.revoke_admin_token(id, now).await;
    // Even after an error, since the change may have been made all the same.
    service.admin_tokens.changed(id);
    if !revoked? {
        return Err(Error::NotFound("Admin token"));
    }
    let revoked = AdminEvent {
        token_id: Escaped::new(id),
        name: None,
        actor: actor.as_ref().map(Actor::escaped),
    };
    service.record(Event::AdminRevoked(revoked), now);
    Ok(())
}
