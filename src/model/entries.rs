//! Lists that are stored as JSON: limits and quotas.

use std::collections::HashSet;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

/// An entry of a list, which its name distinguishes from the others.
pub trait Entry: Serialize + DeserializeOwned {
    fn name(&self) -> &str;

    /// Whether callers could have set it.
    fn is_valid(&self) -> bool;
}

/// The entries of one key or client, with names that are all different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entries<T> {
    Readable(Vec<T>),
    /// Another writer may store any JSON. It is not reported, so that nobody sends it back as "none", a change of other fields
    /// leaves it as it is, and no key is verified by it: what cannot be read never means that there is no limit.
    Unreadable(Box<str>),
}

impl<T> Entries<T> {
    pub const COUNT_MAX: usize = 8;

    /// The entries, unless they cannot be read.
    #[must_use]
    pub fn readable(&self) -> Option<&[T]> {
        match self {
            Self::Readable(entries) => Some(entries),
            Self::Unreadable(_) => None,
        }
    }

    #[must_use]
    pub fn are_unreadable(&self) -> bool {
        self.readable().is_none()
    }
}

impl<T: Entry> Entries<T> {
    /// Reads a stored JSON document.
    #[must_use]
    pub fn stored(text: &str) -> Self {
        match serde_json::from_str::<Vec<T>>(text) {
            Ok(entries) if are_valid(&entries) => Self::Readable(entries),
            _ => Self::Unreadable(text.into()),
        }
    }

    /// As they are stored.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Readable(entries) => serde_json::json!(entries).to_string(),
            Self::Unreadable(text) => text.to_string(),
        }
    }
}

fn are_valid<T: Entry>(entries: &[T]) -> bool {
    let mut names = HashSet::new();
    entries.len() <= Entries::<T>::COUNT_MAX
        && entries
            .iter()
            .all(|entry| entry.is_valid() && names.insert(entry.name()))
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self::Readable(Vec::new())
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.readable().serialize(serializer)
    }
}
