//! Which limit it is, among those of all keys and clients.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The name of the limit that `rateLimit` of a key sets.
pub const DEFAULT_LIMIT: &str = "default";

/// Identifies a limit: `key/<id>/<name>` or `client/<id>/<name>`. Ids may be any text, and no name contains a slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitId(Arc<str>);

/// The key or client that a limit belongs to, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitOwner<'a> {
    Key(&'a str),
    Client(&'a str),
}

impl LimitOwner<'_> {
    /// The limit with this name.
    #[must_use]
    pub fn limit(self, name: &str) -> LimitId {
        match self {
            Self::Key(id) => LimitId::of_key(id, name),
            Self::Client(id) => LimitId::of_client(id, name),
        }
    }
}

impl LimitId {
    #[must_use]
    pub fn of_key(key_id: &str, name: &str) -> Self {
        Self(format!("key/{key_id}/{name}").into())
    }

    #[must_use]
    pub fn of_client(client_id: &str, name: &str) -> Self {
        Self(format!("client/{client_id}/{name}").into())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part that is the same for all limits of one key or client, with the slash at its end.
    #[must_use]
    pub fn owner(&self) -> &str {
        let end = self.0.rfind('/').map_or(0, |slash| slash + 1);
        &self.0[..end]
    }
}

/// What belongs to the limits of the same owner as this one. They are beside each other.
pub fn of_same_owner<'a, T>(
    all: &'a BTreeMap<LimitId, T>,
    limit_id: &'a LimitId,
) -> impl Iterator<Item = &'a T> {
    let owner = limit_id.owner();
    all.range(LimitId::from(owner.to_owned())..)
        .take_while(move |(id, _)| id.as_str().starts_with(owner))
        .filter(move |(id, _)| id.owner() == owner)
        .map(|(_, of_limit)| of_limit)
}

impl From<String> for LimitId {
    fn from(stored: String) -> Self {
        Self(stored.into())
    }
}

impl fmt::Display for LimitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_limits_have_the_same_id() {
        let ids = [
            LimitId::of_key("a", "b"),
            LimitId::of_client("a", "b"),
            LimitId::of_key("a/b", "c"),
            LimitId::of_key("a", "c"),
            LimitId::of_key("", "b"),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{id}");
        }
        assert_eq!(ids[2].owner(), "key/a/b/");
        assert_eq!(ids[0].owner(), ids[3].owner());
        assert_ne!(ids[0].owner(), ids[2].owner());
    }
}
