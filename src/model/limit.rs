//! The limits that a key or client names, beside the one that `rateLimit` of a key sets.

use std::collections::HashSet;

use serde::{Deserialize, Serialize, Serializer};

use super::limit_id::DEFAULT_LIMIT;

/// One limit: so many units per window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limit {
    pub name: String,
    pub limit: u32,
    pub window_seconds: u32,
    /// Whether a key is suspended that keeps exceeding it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspends: bool,
}

impl Limit {
    pub const NAME_MAX: usize = 64;
    pub const LIMIT_MAX: u32 = 1_000_000;
    pub const WINDOW_SECONDS_MAX: u32 = 86_400;

    /// Whether the text can name a limit.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        (1..=Self::NAME_MAX).contains(&text.len()) && text.bytes().all(fits)
    }

    fn is_valid(&self) -> bool {
        Self::is_name(&self.name)
            && (1..=Self::LIMIT_MAX).contains(&self.limit)
            && (1..=Self::WINDOW_SECONDS_MAX).contains(&self.window_seconds)
    }

    /// The memory of its name, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len()
    }
}

/// The limits of one key or client, with names that are all different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limits {
    Readable(Vec<Limit>),
    /// Another writer may store any JSON. It is not reported, so that nobody sends it back as "none", a change of other fields
    /// leaves it as it is, and no key is verified by it: what cannot be read never means that there is no limit.
    Unreadable(Box<str>),
}

impl Limits {
    pub const COUNT_MAX: usize = 8;

    /// Reads a stored JSON document.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        match serde_json::from_str::<Vec<Limit>>(text) {
            Ok(limits) if Self::are_valid(&limits) => Self::Readable(limits),
            _ => Self::Unreadable(text.into()),
        }
    }

    fn are_valid(limits: &[Limit]) -> bool {
        let mut names = HashSet::new();
        limits.len() <= Self::COUNT_MAX
            && limits
                .iter()
                .all(|limit| limit.is_valid() && names.insert(&limit.name))
    }

    /// The limits, unless they cannot be read.
    #[must_use]
    pub fn readable(&self) -> Option<&[Limit]> {
        match self {
            Self::Readable(limits) => Some(limits),
            Self::Unreadable(_) => None,
        }
    }

    #[must_use]
    pub fn are_unreadable(&self) -> bool {
        self.readable().is_none()
    }

    /// As they are stored.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Readable(limits) => serde_json::json!(limits).to_string(),
            Self::Unreadable(text) => text.to_string(),
        }
    }

    /// The same as the limits of a key: none of them may have the name of the one that `rateLimit` sets.
    #[must_use]
    pub fn of_key(self) -> Self {
        let is_default = |limit: &Limit| limit.name == DEFAULT_LIMIT;
        match &self {
            Self::Readable(limits) if limits.iter().any(is_default) => {
                Self::Unreadable(self.to_json().into())
            }
            _ => self,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::Readable(Vec::new())
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.readable().serialize(serializer)
    }
}

/// Whose limit it is: the key's, its client's, or that of one above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Key,
    Client,
    Parent,
    Grandparent,
}

impl Level {
    /// The levels of the clients of a key, from its own upward.
    pub const CLIENTS: [Self; 3] = [Self::Client, Self::Parent, Self::Grandparent];
    pub const ALL: [Self; 4] = [Self::Key, Self::Client, Self::Parent, Self::Grandparent];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Client => "client",
            Self::Parent => "parent",
            Self::Grandparent => "grandparent",
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_writer_stores_is_a_list_of_limits_or_unreadable() {
        let one = r#"[{"name": "tokens", "limit": 1, "windowSeconds": 60}]"#;
        let limits = Limits::stored(one);
        assert_eq!(limits.readable().map(<[_]>::len), Some(1));
        assert_eq!(Limits::stored(&limits.to_json()), limits);
        assert_eq!(Limits::stored("[]"), Limits::default());
        for text in [
            "null",
            "{}",
            "5",
            r#"[{"name": "a/b", "limit": 1, "windowSeconds": 60}]"#,
            r#"[{"name": "", "limit": 1, "windowSeconds": 60}]"#,
            r#"[{"name": "a", "limit": 0, "windowSeconds": 60}]"#,
            r#"[{"name": "a", "limit": 1, "windowSeconds": 86401}]"#,
            r#"[{"name": "a", "limit": 1.5, "windowSeconds": 60}]"#,
            r#"[{"name": "a", "limit": 1, "windowSeconds": 60}, {"name": "a", "limit": 2, "windowSeconds": 60}]"#,
        ] {
            let limits = Limits::stored(text);
            assert_eq!(limits.readable(), None, "{text}");
            assert_eq!(limits.to_json(), text);
        }
    }
}
