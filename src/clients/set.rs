//! Sets clients: creates those that have no settings yet, and changes the others.

use super::events;
use super::input::SetClient;
use crate::error::Error;
use crate::events::Event;
use crate::model::{Actor, Client, Timestamp};
use crate::quotas::require_time_zones;
use crate::service::Service;

pub async fn set(
    service: &Service,
    set: SetClient,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<Client, Error> {
    let SetClient { client_id, changes } = set;
    require_time_zones(service, &changes.quotas).await?;
    let client = service
        .store
        .set_client(&client_id, &changes, actor.as_ref(), now)
        .await;
    // Even after an error, since the change may have been made all the same.
    service.client_changed(&client_id);
    let client = client?;
    let event = events::changed(&client, actor.as_ref());
    service.record(Event::ClientChanged(event), now);
    Ok(client.after)
}
