//! Keys that were found where others can read them.

use super::secret::Plaintext;

/// A text that somebody has found and takes for a key.
#[derive(Debug)]
pub struct Leak {
    pub key: Plaintext,
    /// Where it was found.
    pub url: Option<String>,
    /// What that is, as the finder names it.
    pub source: Option<String>,
}

/// What becomes of a leaked key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeakAction {
    Revoke,
    /// It stays, and operators are told.
    Notify,
}

impl Leak {
    /// Characters in `url`.
    pub const URL_MAX: usize = 2_048;
    /// Characters in `source`.
    pub const SOURCE_MAX: usize = 255;

    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.key.expose() == other.key.expose()
            && self.url == other.url
            && self.source == other.source
    }
}

impl LeakAction {
    pub const ALL: [Self; 2] = [Self::Revoke, Self::Notify];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Notify => "notify",
        }
    }
}
