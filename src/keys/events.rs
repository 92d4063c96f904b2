//! Builds the events of key administration.

use serde_json::{Map, Value, json};

use crate::events::KeyEvent;
use crate::model::{Actor, ApiKey, Escaped, escape_json};
use crate::store::ChangedKey;

/// Fields of which only the fact of a change is recorded, since their content may be private.
const PRIVATE: [&str; 2] = ["description", "metadata"];
/// Fields that are left out because they change with every change, or with every rotation.
const IMPLIED: [&str; 2] = ["updatedAt", "start"];

pub(super) fn issued(key: &ApiKey, actor: Option<&Actor>) -> KeyEvent {
    event(key, Map::new(), actor)
}

/// The event of a change, with the value of each changed field before and after.
pub(super) fn changed(key: &ChangedKey, regenerated: bool, actor: Option<&Actor>) -> KeyEvent {
    let ChangedKey { before, after } = key;
    let (old, mut new) = (fields(before), fields(after));
    let mut changes = Map::new();
    for (field, before) in old {
        let after = new.remove(&field).unwrap_or_default();
        let is_left_out = [IMPLIED, PRIVATE].as_flattened().contains(&field.as_str());
        if !is_left_out && before != after {
            let values = json!({ "before": escaped(before), "after": escaped(after) });
            changes.insert(field, values);
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

fn event(key: &ApiKey, changes: Map<String, Value>, actor: Option<&Actor>) -> KeyEvent {
    KeyEvent {
        key_id: Escaped::new(&key.id),
        name: Escaped::new(&key.name),
        client_id: Escaped::new(&key.client_id),
        changes,
        actor: actor.map(Actor::escaped),
    }
}

/// The fields of a key by their names in the API.
fn fields(key: &ApiKey) -> Map<String, Value> {
    match serde_json::to_value(key) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Escapes a value. Lists are cut like other lists in events.
fn escaped(value: Value) -> Value {
    match value {
        Value::Array(entries) => {
            let texts: Vec<String> = entries
                .into_iter()
                .filter_map(|entry| match entry {
                    Value::String(text) => Some(text),
                    _ => None,
                })
                .collect();
            json!(Escaped::list(&texts))
        }
        value => escape_json(value),
    }
}
