//! Text from outside, made safe for operators: for events, the audit log, messages and metrics.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::leak::Leak;

/// Short text without anything that a terminal or a log reader might interpret: control characters, separators and
/// characters that change the direction of text are escaped.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Escaped(Box<str>);

impl Escaped {
    /// Characters, escapes included. Our own ids, names and paths have at most 255.
    const MAX: usize = 256;
    /// Characters of the longest text that we write: where a key was found.
    pub const LONG_MAX: usize = Leak::URL_MAX;
    /// Characters of a text in a list; our own scopes and permissions have no more.
    const ENTRY_MAX: usize = 100;
    /// Texts in a list; our own lists have no more.
    const ENTRIES_MAX: usize = 100;

    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::cut(text, Self::MAX)
    }

    /// The beginning of the text, at most `max` characters long. No escape is cut.
    #[must_use]
    pub fn cut(text: &str, max: usize) -> Self {
        if text.len() <= max && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Self(text.into());
        }
        let mut escaped = String::with_capacity(text.len().min(max));
        let mut left = max;
        for c in text.chars() {
            let escape = c.escape_unicode();
            let length = if is_harmless(c) { 1 } else { escape.len() };
            if length > left {
                break;
            }
            left -= length;
            if length == 1 {
                escaped.push(c);
            } else {
                escaped.extend(escape);
            }
        }
        Self(escaped.into())
    }

    #[must_use]
    pub fn list(texts: &[String]) -> Vec<Self> {
        let escaped = |text: &String| Self::cut(text, Self::ENTRY_MAX);
        texts.iter().take(Self::ENTRIES_MAX).map(escaped).collect()
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Escaped> for String {
    fn from(escaped: Escaped) -> Self {
        escaped.0.into()
    }
}

impl fmt::Display for Escaped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first texts of a list, joined for a message.
#[must_use]
pub fn join_escaped(texts: &[String]) -> String {
    const MOST: usize = 10;
    let mut parts: Vec<String> = texts
        .iter()
        .take(MOST)
        .map(|text| Escaped::cut(text, Escaped::ENTRY_MAX).into())
        .collect();
    if texts.len() > MOST {
        parts.push("…".into());
    }
    parts.join(", ")
}

/// JSON that another writer may have stored: its texts are escaped, and it is cut to the largest size that our own can
/// have.
#[must_use]
pub fn escape_json(value: Value) -> Value {
    const CHARACTERS_MAX: usize = 64 * 1024;
    within(value, &mut { CHARACTERS_MAX })
}

fn within(value: Value, left: &mut usize) -> Value {
    /// The characters that a value counts for in addition to its text.
    const VALUE: usize = 8;
    *left = left.saturating_sub(VALUE);
    match value {
        Value::String(text) => Value::String(text_within(&text, left)),
        Value::Array(entries) => {
            let mut escaped = Vec::new();
            for entry in entries {
                if *left == 0 {
                    break;
                }
                escaped.push(within(entry, left));
            }
            Value::Array(escaped)
        }
        Value::Object(fields) => {
            let mut escaped = Map::new();
            for (name, value) in fields {
                if *left == 0 {
                    break;
                }
                escaped.insert(text_within(&name, left), within(value, left));
            }
            Value::Object(escaped)
        }
        scalar => scalar,
    }
}

fn text_within(text: &str, left: &mut usize) -> String {
    let escaped = Escaped::cut(text, Escaped::LONG_MAX.min(*left));
    *left -= escaped.0.chars().count();
    escaped.into()
}

/// Whether the character is neither a control or format character nor a line or paragraph separator (Unicode categories
/// Cc, Cf, Zl, Zp), nor one of the code points between format characters that are reserved for more of them.
fn is_harmless(c: char) -> bool {
    let is_reserved = matches!(c, '\u{2065}' | '\u{e0000}'..='\u{e007f}');
    let category = c.general_category();
    !is_reserved
        && !matches!(
            category,
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_text_is_unchanged() {
        for text in ["", "Search", "é😀 字", "\u{fffd}", "a\"b\\c"] {
            assert_eq!(Escaped::new(text).as_str(), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        let escaped = Escaped::new("a\r\n\0\u{1b}\u{9b}\u{202e}\u{2066}\u{2028}b");
        assert_eq!(
            escaped.as_str(),
            r"a\u{d}\u{a}\u{0}\u{1b}\u{9b}\u{202e}\u{2066}\u{2028}b"
        );
        // Escaping twice changes nothing.
        assert_eq!(Escaped::new(escaped.as_str()), escaped);
    }

    /// According to the Unicode Character Database, version 16.0.
    #[test]
    fn every_control_format_and_separator_character_is_escaped() {
        let controls = ['\0'..='\u{1f}', '\u{7f}'..='\u{9f}'];
        let separators = ['\u{2028}'..='\u{2029}'];
        let formats = [
            '\u{ad}'..='\u{ad}',
            '\u{600}'..='\u{605}',
            '\u{61c}'..='\u{61c}',
            '\u{6dd}'..='\u{6dd}',
            '\u{70f}'..='\u{70f}',
            '\u{890}'..='\u{891}',
            '\u{8e2}'..='\u{8e2}',
            '\u{180e}'..='\u{180e}',
            '\u{200b}'..='\u{200f}',
            '\u{202a}'..='\u{202e}',
            '\u{2060}'..='\u{2064}',
            '\u{2066}'..='\u{206f}',
            '\u{feff}'..='\u{feff}',
            '\u{fff9}'..='\u{fffb}',
            '\u{110bd}'..='\u{110bd}',
            '\u{110cd}'..='\u{110cd}',
            '\u{13430}'..='\u{1343f}',
            '\u{1bca0}'..='\u{1bca3}',
            '\u{1d173}'..='\u{1d17a}',
            '\u{e0001}'..='\u{e0001}',
            '\u{e0020}'..='\u{e007f}',
        ];
        let listed = controls.into_iter().chain(separators).chain(formats);
        let escaped: Vec<char> = listed
            .flatten()
            .filter(|c| Escaped::new(&c.to_string()).as_str() != c.escape_unicode().to_string())
            .collect();
        assert!(escaped.is_empty(), "{escaped:?}");
    }

    #[test]
    fn text_is_cut_between_characters_and_between_escapes() {
        assert_eq!(Escaped::cut("abc", 2).as_str(), "ab");
        assert_eq!(Escaped::cut("é😀x", 2).as_str(), "é😀");
        assert_eq!(Escaped::cut("\u{202e}\u{202e}", 15).as_str(), r"\u{202e}");
        assert_eq!(Escaped::cut("\n", 4).as_str(), "");
        let long = Escaped::new(&"\u{202e}".repeat(1 << 20));
        assert_eq!(long.as_str(), r"\u{202e}".repeat(32));
    }

    #[test]
    fn lists_are_bounded() {
        let list = Escaped::list(&vec!["x".repeat(1_000); 1_000]);
        assert_eq!((list.len(), list[0].as_str().len()), (100, 100));
        assert_eq!(
            join_escaped(&vec!["\n".to_owned(); 11])
                .matches("u{a}")
                .count(),
            10
        );
    }

    #[test]
    fn json_is_escaped_deeply_and_bounded() {
        let value = json!({ "a\n": ["\u{202e}", { "b": "\r" }, 1, null, true] });
        assert_eq!(
            escape_json(value),
            json!({ r"a\u{a}": [r"\u{202e}", { "b": r"\u{d}" }, 1, null, true] })
        );
        let flood = json!(vec![json!({ "name": "x".repeat(1 << 10) }); 10_000]);
        assert!(escape_json(flood).to_string().len() < 128 * 1024);
        let nested = (0..100).fold(json!("\n"), |inner, _| json!([inner]));
        assert!(escape_json(nested).to_string().contains(r"\\u{a}"));
    }
}
