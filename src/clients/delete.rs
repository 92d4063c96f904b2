//! Deletes the settings of a client. Its keys stay.

use super::events;
use crate::error::Error;
use crate::events::Event;
use crate::model::{Actor, Timestamp};
use crate::service::Service;

pub async fn delete(
    service: &Service,
    client_id: &str,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(), Error> {
    let deleted = service.store.delete_client(client_id, actor.as_ref()).await;
    // Even after an error, since the row may have been deleted all the same.
    service.client_changed(client_id);
    if !deleted? {
        return Err(Error::NotFound("Client"));
    }
    let event = events::deleted(client_id, actor.as_ref());
    service.record(Event::ClientDeleted(event), now);
    Ok(())
}
