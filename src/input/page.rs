//! The fields of a request for a page.

use super::fields::Fields;
use super::rules;
use super::value::{Parsed, Value};

const LIMIT: std::ops::RangeInclusive<i32> = 1..=1_000;
const DEFAULT_LIMIT: i32 = 100;
/// The least number of characters in `search`: the trigram index needs three.
const SEARCH_MIN: usize = 3;

/// Rows per page.
pub fn limit(fields: &mut Fields) -> i32 {
    let limit = fields.optional("limit", rules::integer(LIMIT));
    limit.unwrap_or(DEFAULT_LIMIT)
}

/// The position where the previous page ended. `decode` knows the cursors of this list.
pub fn cursor<C>(fields: &mut Fields, decode: fn(&str) -> Option<C>) -> Option<C> {
    fields.optional("cursor", |value| {
        decode(&rules::any_text(value)?).ok_or_else(|| "is not a valid cursor".into())
    })
}

/// Text that the rows must contain.
pub fn search(fields: &mut Fields) -> Option<String> {
    fields.optional("search", read_search)
}

fn read_search(value: Value) -> Parsed<String> {
    let text = rules::label(rules::NAME_MAX)(value)?;
    if text.chars().count() < SEARCH_MIN {
        return Err(format!("must have at least {SEARCH_MIN} characters").into());
    }
    Ok(text)
}
