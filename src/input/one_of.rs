//! The rule for a few values that have names.

use super::rules;
use super::value::{Parsed, Value};

/// One of these values, by its name.
pub fn one_of<T: Copy, const N: usize>(
    all: [T; N],
    name: fn(T) -> &'static str,
) -> impl Fn(Value) -> Parsed<T> {
    move |value| {
        let text = rules::any_text(value)?;
        let known = all.into_iter().find(|value| name(*value) == text);
        known.ok_or_else(|| format!("must be {}", join_or(&all.map(name))).into())
    }
}

/// The texts in one sentence: `a, b or c`.
fn join_or(texts: &[&str]) -> String {
    match texts {
        [texts @ .., last] if !texts.is_empty() => format!("{} or {last}", texts.join(", ")),
        texts => texts.concat(),
    }
}
