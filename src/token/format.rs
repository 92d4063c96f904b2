//! The part of a key before its digits.

use super::base62;
use crate::model::{Environment, Environments, KeyClass, KindNumber};

/// The longest prefix, in characters.
pub const MAX_PREFIX_LENGTH: usize = 20;

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

/// The prefixes and environments of this process, which surround the digits of its keys.
#[derive(Clone, Debug)]
pub struct KeyFormat {
    /// Those of the kinds, in their order.
    prefixes: Vec<String>,
    /// Others, whose keys are of the first kind.
    others: Vec<String>,
    environments: Environments,
}

impl KeyFormat {
    /// `prefixes` are those of the kinds; `others` are accepted too. `None` without a kind, or if [`is_prefix`] rejects one.
    #[must_use]
    pub fn new(
        prefixes: Vec<String>,
        others: Vec<String>,
        environments: Environments,
    ) -> Option<Self> {
        let all = || prefixes.iter().chain(&others);
        let are_good = !prefixes.is_empty() && all().all(|prefix| is_prefix(prefix));
        are_good.then_some(Self {
            prefixes,
            others,
            environments,
        })
    }

    /// The prefix of new keys of this kind.
    pub(super) fn prefix(&self, kind: KindNumber) -> &str {
        let own = self
            .prefixes
            .get(usize::from(kind))
            .or(self.prefixes.first());
        own.map_or("", String::as_str)
    }

    pub(super) fn environments(&self) -> Environments {
        self.environments
    }

    /// The kind of the keys that begin with this prefix; `None` if it is not accepted.
    pub(super) fn kind_of(&self, prefix: &str) -> Option<KindNumber> {
        match self.prefixes.iter().position(|own| own == prefix) {
            Some(at) => u8::try_from(at).ok(),
            None => self.others.iter().any(|other| other == prefix).then_some(0),
        }
    }

    /// The kind and environment of the key that begins so, as its row has it. Those of adopted keys, which have no such beginning,
    /// are the first ones.
    #[must_use]
    pub fn class_of(&self, start: Option<&str>) -> KeyClass {
        let parts = start.and_then(|start| {
            let (prefix, rest) = start.split_once('_')?;
            let (environment, _) = rest.split_once('_')?;
            Some(KeyClass {
                kind: self.kind_of(prefix).unwrap_or_default(),
                environment: Environment::of_name(environment)?,
            })
        });
        parts.unwrap_or_default()
    }

    pub(super) fn accepts(&self, prefix: &str) -> bool {
        self.kind_of(prefix).is_some()
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
            Environment::ALL.map(|environment| {
                let beginning = format!("{prefix}_{}_", environment.name());
                Some(text.find(&beginning)? + beginning.len())
            })
        });
        ends.flatten().min()
    }

    fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().chain(&self.others).map(String::as_str)
    }
}
