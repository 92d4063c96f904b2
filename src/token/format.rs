//! The part of a key before its digits.

use super::base62;

/// The longest prefix, in characters.
pub const MAX_PREFIX_LENGTH: usize = 20;

/// The purpose of a key. A key of the other environment is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Environment {
    /// Production, the default.
    #[default]
    Live,
    /// Everything else.
    Test,
}

impl Environment {
    /// The part of a key that names its environment.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// Whether `text` may be a prefix: 1–20 of `A-Za-z0-9`, a letter first.
///
/// A legacy key that happens to begin with a prefix and `_` is taken for one of ours and refused, so a prefix should be
/// long enough to be unique.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    text.len() <= MAX_PREFIX_LENGTH
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && base62::is_base62(text)
}

/// The prefixes and the environment of this process, which surround the digits of its keys.
#[derive(Clone, Debug)]
pub struct KeyFormat {
    prefix: String,
    older: Vec<String>,
    environment: Environment,
}

impl KeyFormat {
    /// The first prefix is for new keys; all are accepted. `None` without a prefix, or if [`is_prefix`] rejects one.
    #[must_use]
    pub fn new(prefixes: Vec<String>, environment: Environment) -> Option<Self> {
        if !prefixes.iter().all(|prefix| is_prefix(prefix)) {
            return None;
        }
        let mut prefixes = prefixes.into_iter();
        Some(Self {
            prefix: prefixes.next()?,
            older: prefixes.collect(),
            environment,
        })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn environment(&self) -> Environment {
        self.environment
    }

    pub(super) fn accepts(&self, prefix: &str) -> bool {
        self.prefix == prefix || self.older.iter().any(|older| older == prefix)
    }

    pub(super) fn accepts_in_any_case(&self, prefix: &str) -> bool {
        self.prefixes()
            .any(|accepted| accepted.eq_ignore_ascii_case(prefix))
    }

    /// Whether the text has an accepted prefix at its end, after something that is no part of a prefix.
    pub(super) fn ends_with_prefix(&self, text: &str) -> bool {
        self.prefixes()
            .filter_map(|accepted| text.strip_suffix(accepted))
            .any(|before| before.ends_with(|last: char| !last.is_ascii_alphanumeric()))
    }

    /// The text without what follows the beginning of a key, of either environment: it may be a secret.
    pub(super) fn redact(&self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(end) = self.end_of_beginning(rest) {
            let (before, after) = rest.split_at(end);
            redacted.extend([before, "…"]);
            rest = after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        }
        redacted + rest
    }

    /// Where the first prefix with its environment ends.
    fn end_of_beginning(&self, text: &str) -> Option<usize> {
        let ends = self.prefixes().flat_map(|prefix| {
            [Environment::Live, Environment::Test].map(|environment| {
                let beginning = format!("{prefix}_{}_", environment.as_str());
                Some(text.find(&beginning)? + beginning.len())
            })
        });
        ends.flatten().min()
    }

    fn prefixes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.prefix)
            .chain(&self.older)
            .map(String::as_str)
    }
}
