//! The `metadata` of a key: the app's JSON, kept as text.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The app's JSON, kept as text, which is several times smaller than a tree of values.
#[derive(Debug, Clone)]
pub struct Metadata(Content);

#[derive(Debug, Clone)]
enum Content {
    Readable(Box<RawValue>),
    /// Another writer may store JSON that no reader here accepts: something else than an object, numbers beyond a
    /// double, or any depth. It is reported as `null`, and a change of other fields writes it back unchanged.
    Unreadable(Box<str>),
}

impl Metadata {
    /// Wraps the text of a stored JSON document.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        let is_readable = serde_json::from_str::<Map<String, Value>>(text).is_ok();
        match RawValue::from_string(text.to_owned()) {
            Ok(json) if is_readable => Self(Content::Readable(json)),
            _ => Self(Content::Unreadable(text.into())),
        }
    }

    #[must_use]
    pub fn is_readable(&self) -> bool {
        matches!(self.0, Content::Readable(_))
    }

    /// The stored text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Content::Readable(json) => json.get(),
            Content::Unreadable(text) => text,
        }
    }
}

impl From<&Value> for Metadata {
    fn from(json: &Value) -> Self {
        Self::stored(&json.to_string())
    }
}

impl PartialEq for Metadata {
    /// Compares contents: the database writes the same document with different spaces.
    fn eq(&self, other: &Self) -> bool {
        let parsed = |metadata: &Self| serde_json::from_str::<Value>(metadata.as_str()).ok();
        self.as_str() == other.as_str() || (self.is_readable() && parsed(self) == parsed(other))
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Content::Readable(json) => json.serialize(serializer),
            Content::Unreadable(_) => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(metadata: &Metadata) -> String {
        serde_json::to_string(metadata).unwrap_or_default()
    }

    #[test]
    fn readable_metadata_is_serialized_as_stored() {
        let metadata = Metadata::stored(r#"{"a": [1, null]}"#);
        assert!(metadata.is_readable());
        assert_eq!(json(&metadata), r#"{"a": [1, null]}"#);
    }

    #[test]
    fn unreadable_metadata_serializes_to_null_and_keeps_its_text() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        for text in [r#"{"a": 1e400}"#, &deep, r#""text""#, "[1]", "5", "null"] {
            let metadata = Metadata::stored(text);
            assert!(!metadata.is_readable());
            assert_eq!(json(&metadata), "null");
            assert_eq!(metadata.as_str(), text);
        }
    }

    #[test]
    fn equality_is_by_content() {
        assert_eq!(
            Metadata::stored(r#"{"a":1}"#),
            Metadata::stored(r#"{"a": 1}"#)
        );
        assert_ne!(
            Metadata::stored(r#"{"a":1}"#),
            Metadata::stored(r#"{"a":2}"#)
        );
        assert_ne!(Metadata::stored("1e400"), Metadata::stored("1e500"));
    }
}
