//! Builds the events of client administration.

use serde_json::{Map, json};

use crate::events::{ClientEvent, changed_fields};
use crate::model::{Actor, Escaped};
use crate::store::ChangedClient;

/// Fields that are left out: of the metadata only the fact of a change is recorded, since it may be private, and the others
/// are no settings.
const LEFT_OUT: [&str; 4] = ["metadata", "keyCount", "createdAt", "updatedAt"];

/// The event of a change, with the value of each changed field before and after.
pub(super) fn changed(client: &ChangedClient, actor: Option<&Actor>) -> ClientEvent {
    let ChangedClient { before, after } = client;
    let mut changes = changed_fields(before, after, &LEFT_OUT);
    if before.metadata != after.metadata {
        changes.insert("metadata".to_owned(), json!({}));
    }
    ClientEvent {
        client_id: Escaped::new(&after.client_id),
        name: after.name.as_deref().map(Escaped::new),
        changes,
        actor: actor.map(Actor::escaped),
    }
}

pub(super) fn deleted(client_id: &str, actor: Option<&Actor>) -> ClientEvent {
    ClientEvent {
        client_id: Escaped::new(client_id),
        name: None,
        changes: Map::new(),
        actor: actor.map(Actor::escaped),
    }
}
