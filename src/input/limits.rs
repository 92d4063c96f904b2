//! The rule for lists of limits.

use super::entries;
use super::fields::Fields;
use super::rules;
use super::value::{Parsed, Value};
use crate::error::Issue;
use crate::model::{DEFAULT_LIMIT, Limit, Limits};

/// The limits of a key, of which none may have the name of the one that `rateLimit` sets.
pub fn of_key(value: Value) -> Parsed<Limits> {
    let limits = entries::list(value, limit)?;
    let issues: Vec<Issue> = limits
        .iter()
        .enumerate()
        .filter(|(_, limit)| limit.name == DEFAULT_LIMIT)
        .map(|(index, _)| {
            entries::name_issue(index, "is the name of the limit that rateLimit sets")
        })
        .collect();
    entries::unless(issues, limits).map(Limits::Readable)
}

/// The limits of a client.
pub fn of_client(value: Value) -> Parsed<Limits> {
    entries::list(value, limit).map(Limits::Readable)
}

fn limit(value: Value) -> Parsed<Limit> {
    let mut fields = Fields::of(value);
    let name = fields.required("name", entries::name);
    let limit = fields.required("limit", rules::integer(rules::RATE_LIMIT));
    let window = fields.required("windowSeconds", rules::integer(rules::WINDOW_SECONDS));
    let suspends = fields.optional("suspends", rules::boolean).unwrap_or(false);
    let limit = name
        .zip(limit)
        .zip(window)
        .and_then(|((name, limit), window)| {
            Some(Limit {
                name,
                limit: u32::try_from(limit).ok()?,
                window_seconds: u32::try_from(window).ok()?,
                suspends,
            })
        });
    fields.finish_nested(limit)
}
