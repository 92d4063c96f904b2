//! Reads the row of a presented key.

use std::sync::Arc;

use super::memory::KeyLookup;
use crate::cache::{Row, Sequence};
use crate::error::Error;
use crate::model::{CredentialDigest, Plaintext};
use crate::service::Service;
use crate::store::Candidate;

/// Maximum number of reads of a row that changes while it is read.
const TRIES: usize = 5;

/// The values to find a row by.
pub(super) struct RowQuery {
    lookup: Box<str>,
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

/// Reads the row at one position in the sequence of changes: if it changed while it was read, it is read again.
pub(super) async fn read_row(
    service: &Service,
    query: &RowQuery,
) -> Result<(Option<(Candidate, Arc<Row>)>, Sequence), Error> {
    for _ in 1..TRIES {
        let read_at = service.cache.sequence();
        let candidate = service
            .store
            .find_candidate(&query.lookup, query.digest.as_ref())
            .await?;
        let Some(candidate) = candidate else {
            return Ok((None, read_at));
        };
        if let Some(row) = service.cache.row(&candidate.policy.key_id, read_at) {
            return Ok((Some((candidate, row)), read_at));
        }
    }
    Err(Error::unavailable(
        "The row of the key keeps changing while it is being read: try again",
    ))
}
