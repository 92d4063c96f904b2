//! Finds the row of a presented key.

use super::memory::KeyLookup;
use crate::model::{CredentialDigest, Plaintext};

/// The values to find a row by.
pub(super) struct RowQuery {
    pub(super) lookup: Box<str>,
    /// The digest of a key whose row may hold plaintext.
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
