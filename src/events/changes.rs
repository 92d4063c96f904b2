//! What a change has changed, for its event.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::{Escaped, escape_json};

/// The value before and after of each field that differs, by its name in the API, except for the fields that are left out.
pub fn changed_fields<T: Serialize>(
    before: &T,
    after: &T,
    left_out: &[&str],
) -> Map<String, Value> {
    let (old, mut new) = (fields(before), fields(after));
    let mut changes = Map::new();
    let mut compare = |field: String, before, after| {
        if !left_out.contains(&field.as_str()) && before != after {
            let values = json!({ "before": escaped(before), "after": escaped(after) });
            changes.insert(field, values);
        }
    };
    for (field, before) in old {
        let after = new.remove(&field).unwrap_or_default();
        compare(field, before, after);
    }
    // What could not be read before.
    for (field, after) in new {
        compare(field, Value::Null, after);
    }
    changes
}

fn fields<T: Serialize>(row: &T) -> Map<String, Value> {
    match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// Escapes a value. Lists of texts are cut like other lists in events.
fn escaped(value: Value) -> Value {
    match value {
        Value::Array(entries) if entries.iter().all(Value::is_string) => {
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
