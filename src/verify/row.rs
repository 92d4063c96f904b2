//! Finds the row of a presented key.

use super::memory::KeyLookup;
use crate::model::{CredentialDigest, Plaintext};

/// What finds the row.
pub(super) struct RowQuery {
    pub(super) lookup: Box<str>,
    /// The digest of a key that may be kept in plaintext.
    pub(super) digest: Option<CredentialDigest>,
}

impl RowQuery {
    pub(super) fn of(lookup: &KeyLookup<Box<str>>, key: &Plaintext) -> Self {
        match lookup {
            KeyLookup::Issued(lookup) => Self {
                lookup: lookup.clone(),
                digest: None,
            },
            KeyLookup::Legacy => {
                let digest = CredentialDigest::of(key.expose());
                Self {
                    lookup: digest.lookup().into(),
                    digest: Some(digest),
                }
            }
        }
    }
}
