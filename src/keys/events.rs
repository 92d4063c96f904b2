//! What operators are told of administration.

use serde_json::{Map, Value, json};

use crate::events::KeyEvent;
use crate::model::{ApiKey, Timestamp};
use crate::shown::Shown;
use crate::store::Changed;

pub(super) fn issued(key: &ApiKey, actor: Option<Shown>) -> KeyEvent {
    event(key, Map::new(), actor)
}

/// With what the changed fields were and are. Of texts and data of the app only that they are others: they may hold
/// what is nobody's business.
pub(super) fn changed(key: &Changed, regenerated: bool, actor: Option<Shown>) -> KeyEvent {
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

fn event(key: &ApiKey, changes: Map<String, Value>, actor: Option<Shown>) -> KeyEvent {
    KeyEvent {
        key_id: Shown::new(&key.id),
        name: Shown::new(&key.name),
        client_id: Shown::new(&key.client_id),
        changes,
        actor,
    }
}

/// Whose the key is and what it permits.
fn rights(key: &ApiKey) -> [(&'static str, Value); 10] {
    let at = |at: Option<Timestamp>| json!(at.map(Timestamp::millis));
    [
        ("name", json!(Shown::new(&key.name))),
        ("clientId", json!(Shown::new(&key.client_id))),
        ("isActive", json!(key.is_active)),
        ("expiresAt", at(key.expires_at)),
        ("allowedIps", json!(Shown::list(&key.allowed_ips))),
        ("rateLimit", json!(key.rate_limit)),
        (
            "rateLimitWindowSeconds",
            json!(key.rate_limit_window_seconds),
        ),
        ("scopes", json!(Shown::list(&key.scopes))),
        ("suspendedUntil", at(key.suspended_until)),
        ("previousKeyExpiresAt", at(key.previous_key_expires_at)),
    ]
}
