//! The limits that a key or client names, beside the one that `rateLimit` of a key sets.

use serde::{Deserialize, Serialize, Serializer};

use super::entries::{Entries, Entry};
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
    pub const LIMIT_MAX: u32 = 1_000_000;
    pub const WINDOW_SECONDS_MAX: u32 = 86_400;

    /// The memory of its name, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len()
    }
}

pub const LIMIT_NAME_MAX: usize = 64;

/// Whether the text can name a limit or a quota.
#[must_use]
pub fn is_limit_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
    (1..=LIMIT_NAME_MAX).contains(&text.len()) && text.bytes().all(fits)
}

pub type Limits = Entries<Limit>;

impl Entry for Limit {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_valid(&self) -> bool {
        is_limit_name(&self.name)
            && (1..=Self::LIMIT_MAX).contains(&self.limit)
            && (1..=Self::WINDOW_SECONDS_MAX).contains(&self.window_seconds)
    }
}

impl Limits {
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

/// Whose limit or quota it is: the key's, its client's, or that of one above.
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
