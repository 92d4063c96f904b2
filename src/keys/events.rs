//! Builds the events of key administration.

use serde_json::{Map, Value, json};

use crate::events::{KeyEvent, changed_fields};
use crate::model::{Actor, ApiKey, Escaped};
use crate::store::ChangedKey;

/// Fields that are left out: of two only the fact of a change is recorded, since their content may be private, and the others
/// change with every change, or with every rotation.
const LEFT_OUT: [&str; 6] = [
    "description",
    "metadata",
    "updatedAt",
    "start",
    "currentKeyFirstUsedAt",
    "previousKeyLastUsedAt",
];

pub(super) fn issued(key: &ApiKey, actor: Option<&Actor>) -> KeyEvent {
    event(key, Map::new(), actor)
}

/// The event of a change, with the value of each changed field before and after.
pub(super) fn changed(key: &ChangedKey, regenerated: bool, actor: Option<&Actor>) -> KeyEvent {
    let ChangedKey { before, after } = key;
    let mut changes = changed_fields(before, after, &LEFT_OUT);
    let private = [
        ("description", before.description != after.description),
        ("metadata", before.metadata != after.metadata),
        ("key", regenerated),
    ];
    for (field, _) in private.into_iter().filter(|(_, differs)| *differs) {
        changes.insert(field.to_owned(), json!({}));
    }
    event(after, changes, actor)
}

fn event(key: &ApiKey, changes: Map<String, Value>, actor: Option<&Actor>) -> KeyEvent {
    KeyEvent {
        key_id: Escaped::new(&key.id),
        name: Escaped::new(&key.name),
        client_id: Escaped::new(&key.client_id),
        changes,
        actor: actor.map(Actor::escaped),
    }
}
