//! Explains a string to a person, by the same rules as [`Tokens::parse`](super::tokens::Tokens::parse), which gives no
//! reasons.

use serde::Serialize;

use super::base62;
use super::format::{KeyFormat, is_prefix};
use super::keyring::Keyring;
use super::shape::{
    CRC_DIGITS, LOOKUP_DIGITS, MAX_LENGTH, MIN_LENGTH, SECRET_DIGITS, TAG_DIGITS, checksum,
    split_end,
};
use crate::model::{Environment, KeyClass};

/// Digits after the last `_`.
const DIGITS: usize = SECRET_DIGITS + TAG_DIGITS + CRC_DIGITS;

/// The explanation of a string. It contains nothing secret, and nothing of a string that is not a key.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    pub well_formed: bool,
    /// Where the key is from; `None` if the string is not a key.
    pub origin: Option<KeyOrigin>,
    #[serde(skip)]
    pub class: Option<KeyClass>,
    /// The displayable beginning of an issued key.
    pub start: Option<String>,
    /// Whether a configured signing key made the tag.
    pub tag: TagCheck,
    /// Fingerprint of the signing key that made the tag.
    pub signing_key: Option<String>,
    /// The problem, or the check that was not possible.
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyOrigin {
    Issued,
    /// A string in the shape of a legacy key: only the database knows whether it is one.
    Adopted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TagCheck {
    Valid,
    /// Made by none of the configured signing keys.
    Unknown,
    /// No signing key is configured, or there is no tag.
    Unchecked,
}

/// Explains `text`. Without a keyring its tag is not checked.
#[must_use]
pub fn inspect(text: &str, format: &KeyFormat, keyring: Option<&Keyring>) -> Inspection {
    if let Err(note) = presentable(text) {
        return malformed(note);
    }
    match text.split_once('_') {
        Some((prefix, rest)) if format.accepts(prefix) => issued(text, rest, format, keyring)
            .unwrap_or_else(|note| Inspection {
                tag: TagCheck::Unchecked,
                ..malformed(note)
            }),
        _ => match distorted(text, format) {
            Some(note) => malformed(note.into()),
            None => Inspection {
                well_formed: true,
                origin: Some(KeyOrigin::Adopted),
                note: Some(adopted_note(text).into()),
                ..malformed(String::new())
            },
        },
    }
}

/// Why a key that is stored in plaintext is not accepted; `None` if it is. By the rules of
/// [`Tokens::parse`](super::tokens::Tokens::parse).
#[must_use]
pub fn legacy_fault(text: &str, format: &KeyFormat) -> Option<String> {
    if let Err(fault) = presentable(text) {
        return Some(fault);
    }
    let (prefix, _) = text.split_once('_')?;
    let fault = || format!("It begins with {prefix}_, as keys of this package do");
    format.accepts(prefix).then(fault)
}

/// What has happened to a key that was copied badly. It would be looked up as a legacy key, and not be found.
fn distorted(text: &str, format: &KeyFormat) -> Option<&'static str> {
    let is_quoted = |quote| text.starts_with(quote) && text.ends_with(quote);
    if ['"', '\'', '`'].into_iter().any(is_quoted) {
        return Some("The text is in quotes, which are not part of a key: remove them");
    }
    // After the prefix there are three more parts.
    let (at, _) = text.rmatch_indices('_').nth(2)?;
    let (before, rest) = (&text[..at], &text[at + 1..]);
    if format.accepts_in_any_case(before) && shape(&rest.to_ascii_lowercase()).is_ok() {
        return Some(
            "The case of letters was changed, but upper and lower case differ: copy the key again",
        );
    }
    if format.ends_with_prefix(before) && shape(rest).is_ok() {
        return Some("There is other text before the prefix of the key: remove it");
    }
    None
}

fn malformed(note: String) -> Inspection {
    Inspection {
        well_formed: false,
        origin: None,
        class: None,
        start: None,
        tag: TagCheck::Unchecked,
        signing_key: None,
        note: Some(note),
    }
}

fn presentable(text: &str) -> Result<(), String> {
    if text.len() < MIN_LENGTH || text.len() > MAX_LENGTH {
        return Err(format!("A key has {MIN_LENGTH} to {MAX_LENGTH} characters"));
    }
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("A key has visible ASCII characters only: no spaces and no line breaks".into())
    }
}

fn issued(
    text: &str,
    after_prefix: &str,
    format: &KeyFormat,
    keyring: Option<&Keyring>,
) -> Result<Inspection, String> {
    let (environment, digits) = shape(after_prefix)?;
    let accepted = format.environments();
    if !accepted.contain(environment) {
        return Err(format!(
            "This is a {} key, but the environment here is {} (API_KEYS_ENVIRONMENT)",
            environment.name(),
            accepted.first.name()
        ));
    }
    if !checksum_holds(text) {
        return Err("The checksum does not match: a character is wrong or missing".into());
    }
    let start = text[..text.len() - digits.len() - 1].to_owned();
    let author = keyring.map(|keyring| {
        let (signed, tag) = split_end(&text[..text.len() - CRC_DIGITS], TAG_DIGITS)?;
        keyring.author_of(signed, tag)
    });
    let (tag, note) = match author {
        None => (TagCheck::Unchecked, None),
        Some(Some(_)) => (TagCheck::Valid, None),
        Some(None) => (
            TagCheck::Unknown,
            Some("The tag was not made by any signing key of this environment".into()),
        ),
    };
    Ok(Inspection {
        well_formed: tag != TagCheck::Unknown,
        origin: Some(KeyOrigin::Issued),
        class: Some(format.class_of(Some(&start))),
        start: Some(start),
        tag,
        signing_key: author.flatten().map(|key| key.fingerprint().to_owned()),
        note,
    })
}

/// The environment and the digits of `<live|test>_<lookup>_<digits>`.
fn shape(after_prefix: &str) -> Result<(Environment, &str), String> {
    const SHAPE: &str = "After its prefix, a key continues with live_ or test_, 12 characters, _ and 46 characters \
         (0-9A-Za-z)";
    let parts = || {
        let (environment, rest) = after_prefix.split_once('_')?;
        let (lookup, digits) = rest.split_once('_')?;
        let environment = Environment::of_name(environment)?;
        Some((environment, lookup, digits))
    };
    let (environment, lookup, digits) = parts().ok_or(SHAPE)?;
    if !base62::is_base62(lookup) || !base62::is_base62(digits) {
        return Err(SHAPE.into());
    }
    if lookup.len() != LOOKUP_DIGITS || digits.len() != DIGITS {
        return Err(format!(
            "This text has {} and {} characters where a key has {LOOKUP_DIGITS} and {DIGITS}: it was cut off, or \
                 something was appended",
            lookup.len(),
            digits.len()
        ));
    }
    Ok((environment, digits))
}

fn checksum_holds(text: &str) -> bool {
    split_end(text, CRC_DIGITS).is_some_and(|(head, crc)| checksum(head) == crc.as_bytes())
}

/// A key of another prefix would be looked up as a legacy key, and not be found.
fn adopted_note(text: &str) -> &'static str {
    let other = text
        .split_once('_')
        .is_some_and(|(prefix, rest)| is_prefix(prefix) && shape(rest).is_ok());
    if other && checksum_holds(text) {
        "This looks like an issued key, but its prefix is not accepted here (API_KEYS_PREFIXES)"
    } else {
        "This looks like an adopted key, which has no checksum: only the database can tell whether it exists"
    }
}
