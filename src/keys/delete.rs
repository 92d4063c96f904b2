//! Deletes a key.

use crate::error::Error;
use crate::events::Event;
use crate::model::{Actor, Escaped, Timestamp};
use crate::service::Service;

pub async fn delete(
    service: &Service,
    id: &str,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(), Error> {
    let deleted = service.store.delete_key(id, actor.as_ref()).await;
    // Even after an error, since the row may have been deleted all the same.
    service.cache.changed(id);
    if !deleted? {
        return Err(Error::NotFound("API key"));
    }
    let key_id = Escaped::new(id);
    let actor = actor.as_ref().map(Actor::escaped);
    let event = Event::KeyDeleted {
        key_id,
        reason: None,
        actor,
    };
    service.record(event, now);
    Ok(())
}
