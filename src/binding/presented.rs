//! The credential that a request presents: a key or an admin token, as a server read it from a header.

use napi::bindgen_prelude::Unknown;

use super::text::read_text;
use super::value::read;
use crate::error::{Error, Issue};
use crate::input::Value;
use crate::model::Plaintext;

/// How much white space around a credential is removed, in bytes.
const WHITE_SPACE_MAX: usize = 1_024;

/// What a header holds.
pub(super) enum Presented {
    Missing,
    Text(Plaintext),
    /// A value that no server reads from a header.
    Invalid,
}

/// Reads a credential of at most `max` bytes. A longer text is cut to one that is still too long, so that a huge one costs
/// nothing.
///
/// Node.js returns the lines of a repeated header as an array. Several credentials are none, since they could be checked
/// in one place and used in another.
pub(super) fn presented(value: Unknown<'_>, max: usize) -> Presented {
    if let Some(text) = read_text(value, max + WHITE_SPACE_MAX + 1) {
        return Presented::Text(credential(Plaintext::new(text), max));
    }
    match read(value) {
        Value::Undefined | Value::Null => Presented::Missing,
        Value::List(lines) => of_lines(lines, max),
        _ => Presented::Invalid,
    }
}

fn of_lines(lines: Vec<Value>, max: usize) -> Presented {
    let texts: Option<Vec<Plaintext>> = lines.into_iter().map(line).collect();
    let Some(mut texts) = texts else {
        return Presented::Invalid;
    };
    match (texts.pop(), texts.is_empty()) {
        (None, _) => Presented::Missing,
        (Some(only), true) => Presented::Text(credential(only, max)),
        (Some(_), false) => Presented::Text(Plaintext::new(String::new())),
    }
}

fn line(value: Value) -> Option<Plaintext> {
    match value {
        Value::Text(text) => Some(Plaintext::new(text)),
        // Too long for any credential, or not well-formed.
        Value::BadText(_) => Some(Plaintext::new(String::new())),
        _ => None,
    }
}

/// Removes the white space around a credential, which is never part of it, unless the text may have been cut.
fn credential(text: Plaintext, max: usize) -> Plaintext {
    let whole = text.expose();
    let inner = if whole.len() > max + WHITE_SPACE_MAX {
        whole
    } else {
        whole.trim_ascii()
    };
    let mut too_long = max + 1..inner.len();
    let end = too_long.find(|at| inner.is_char_boundary(*at));
    let kept = &inner[..end.unwrap_or(inner.len())];
    if kept.len() == whole.len() {
        return text;
    }
    Plaintext::new(kept.to_owned())
}

/// Combines a credential with its context, or the problems of both. The credential is `None` if it is missing.
pub(super) fn with_context<T>(
    name: &str,
    presented: Presented,
    context: Result<T, Error>,
) -> Result<(Option<Plaintext>, T), Error> {
    let invalid = || Issue {
        path: name.into(),
        message: "must be a string, an array of strings, null or undefined".into(),
    };
    match (presented, context) {
        (Presented::Missing, Ok(context)) => Ok((None, context)),
        (Presented::Text(text), Ok(context)) => Ok((Some(text), context)),
        (Presented::Invalid, Err(Error::InvalidInput(issues))) => Err(Error::InvalidInput(
            std::iter::once(invalid()).chain(issues).collect(),
        )),
        (Presented::Invalid, _) => Err(Error::InvalidInput(vec![invalid()])),
        (_, Err(error)) => Err(error),
    }
}
