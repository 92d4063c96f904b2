//! Exports keys as lines of JSON, which an import reads.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::input::{Fields, Value, rules};
use crate::service::Service;

const LIMIT: std::ops::RangeInclusive<i32> = 1..=1_000;
const LIMIT_DEFAULT: i32 = 100;

/// What is to be exported.
#[derive(Debug)]
pub struct ExportQuery {
    hashes: bool,
    after: String,
    limit: i32,
}

pub fn read_export(value: Value) -> Result<ExportQuery, Error> {
    let mut fields = Fields::of_optional(value);
    let query = ExportQuery {
        hashes: fields.optional("hashes", rules::boolean).unwrap_or(false),
        after: fields.optional("after", rules::id).unwrap_or_default(),
        limit: fields
            .optional("limit", rules::integer(LIMIT))
            .unwrap_or(LIMIT_DEFAULT),
    };
    fields.finish(Some(query))
}

/// Returns a part of an export: its lines, and the id after which the next part begins, unless there is none.
pub async fn export(service: &Service, query: &ExportQuery) -> Result<Json, Error> {
    // One more shows that there is a next part.
    let one_more = query.limit + 1;
    let mut keys = service
        .store
        .export_keys(&query.after, one_more, query.hashes)
        .await?;
    let limit = usize::try_from(query.limit).unwrap_or_default();
    let has_more = keys.len() > limit;
    keys.truncate(limit);
    let id_of = |key: &Json| key["id"].as_str().map(str::to_owned);
    let next = keys.last().filter(|_| has_more).and_then(id_of);
    for key in &mut keys {
        let owner = id_of(key).unwrap_or_default();
        let Some(secret) = key.pointer_mut("/stored/secret") else {
            continue;
        };
        if let Some(sealed) = secret.as_str() {
            let opened = service.seals.open_text(sealed, &owner);
            *secret = json!(opened.map(|opened| BASE64_STANDARD.encode(opened.as_slice())));
        }
    }
    let lines: Vec<String> = keys.iter().map(ToString::to_string).collect();
    Ok(json!({ "lines": lines, "next": next }))
}
