//! Whom a token is for.

use super::rules;
use super::value::{Parsed, Value};

const LENGTH_MAX: usize = 255;

/// An audience: 1 to 255 characters, none of them a control character.
pub fn audience(value: Value) -> Parsed<String> {
    rules::label(LENGTH_MAX)(value)
}

pub fn is_audience(text: &str) -> bool {
    (1..=LENGTH_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}
