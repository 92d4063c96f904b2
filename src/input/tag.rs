//! What a verify is counted under.

use super::rules;
use super::value::{Parsed, Value};

const LENGTH_MAX: usize = 64;

/// A tag: 1 to 64 characters, none of them a control character.
pub fn tag(value: Value) -> Parsed<String> {
    rules::label(LENGTH_MAX)(value)
}

pub fn is_tag(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}
