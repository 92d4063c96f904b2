//! What operators are told of administration.

use serde_json::{Map, Value, json};

use crate::events::{KeyEvent, printable};
use crate::model::{ApiKey, Timestamp};
use crate::store::Changed;

pub(super) fn issued(key: &ApiKey, actor: Option<String>) -> KeyEvent {
    event(key, Map::new(), actor)
}

/// With what the changed fields were and are. Of texts and data of the app only that they are others: they may hold
/// what is nobody's business.
pub(super) fn changed(key: &Changed, regenerated: bool, actor: Option<String>) -> KeyEvent {
    let Changed { before, after } = key;
    let mut changes = Map::new();
    let (was, is) = (rights(before), rights(after));
    for ((field, was), (_, is)) in was.into_iter().zip(is) {
        if was != is {
            changes.insert(field.to_owned(), json!({ "before": was, "after": is }));
        }
    }
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

fn event(key: &ApiKey, changes: Map<String, Value>, actor: Option<String>) -> KeyEvent {
    KeyEvent {
        key_id: key.id.clone(),
        name: printable(&key.name),
        client_id: printable(&key.client_id),
        changes,
        actor,
    }
}

/// Whose the key is and what it permits.
fn rights(key: &ApiKey) -> [(&'static str, Value); 10] {
    let at = |at: Option<Timestamp>| json!(at.map(Timestamp::millis));
    [
        ("name", json!(printable(&key.name))),
        ("clientId", json!(printable(&key.client_id))),
        ("isActive", json!(key.is_active)),
        ("expiresAt", at(key.expires_at)),
        ("allowedIps", json!(key.allowed_ips)),
        ("rateLimit", json!(key.rate_limit)),
        (
            "rateLimitWindowSeconds",
            json!(key.rate_limit_window_seconds),
        ),
        ("scopes", json!(key.scopes)),
        ("suspendedUntil", at(key.suspended_until)),
        ("previousKeyExpiresAt", at(key.previous_key_expires_at)),
    ]
}
