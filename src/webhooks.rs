//! Webhooks: set, list, delete; their deliveries, and the sending of these.

mod deliveries;
mod desk;
mod input;
mod set;

pub use deliveries::{DeliveryPage, list_deliveries, redeliver};
pub use desk::Desk;
pub use input::{SetWebhook, delivery_id, read_deliveries, webhook_id};
pub use set::{StoredWebhook, set};

use std::net::IpAddr;

use serde_json::Map;

use crate::config::Config;
use crate::courier;
use crate::error::Error;
use crate::events::{Event, WebhookEvent};
use crate::model::{Actor, Escaped, Timestamp};
use crate::service::Service;
use crate::store::RawJson;

/// All webhooks, the oldest first.
pub async fn list(service: &Service) -> Result<Option<RawJson>, Error> {
    service.store.list_webhooks().await
}

pub async fn delete(
    service: &Service,
    id: &str,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(), Error> {
    if !service.store.delete_webhook(id).await? {
        return Err(Error::NotFound("Webhook"));
    }
    let event = WebhookEvent {
        webhook_id: Escaped::new(id),
        changes: Map::new(),
        actor: actor.as_ref().map(Actor::escaped),
    };
    service.record(Event::WebhookDeleted(event), now);
    Ok(())
}

/// Whether requests may go to this address: one of the public internet, or of a network that the operator allows.
#[must_use]
pub fn may_reach(config: &Config, address: IpAddr) -> bool {
    let address = address.to_canonical();
    let allowed = &config.webhook_allowed_networks;
    courier::is_public(address) || allowed.iter().any(|network| network.contains(&address))
}

/// Deletes what is beyond its retention.
pub async fn prune(service: &Service) -> Result<(), Error> {
    let days = service.config.webhook_retention_days;
    while service.store.prune_notices(days).await? {}
    Ok(())
}
