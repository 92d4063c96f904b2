//! Proves that a presented key is the one of a row: by the cold digest if it can decide, otherwise by argon2id.

use std::hint::black_box;
use std::sync::Arc;

use super::rehash::{ProvedBy, renew_stored};
use crate::error::Error;
use crate::hash::Proof;
use crate::model::{Plaintext, StoredHash};
use crate::service::Service;
use crate::store::Candidate;
use crate::token::DigestCheck;

/// Whether the presented key matches the row.
pub(super) async fn is_proved(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
) -> Result<bool, Error> {
    let digest = candidate.cold_digest.as_deref();
    match service.cold_digests.check(key, hash, digest) {
        DigestCheck::Match { is_current_pepper } => {
            let proved_by = ProvedBy::Digest { is_current_pepper };
            renew_stored(service, key, hash, candidate, proved_by);
            Ok(true)
        }
        DigestCheck::Mismatch => Ok(false),
        DigestCheck::Undecided => is_proved_by_hash(service, key, hash, candidate).await,
    }
}

async fn is_proved_by_hash(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
) -> Result<bool, Error> {
    match service.hasher.verify(key.clone(), hash.clone()).await? {
        Proof::Match { outdated } => {
            let proved_by = ProvedBy::Hash { outdated };
            renew_stored(service, key, hash, candidate, proved_by);
            Ok(true)
        }
        // The lookup names this key alone, so a hash that does not match it has been replaced without its lookup.
        Proof::Mismatch | Proof::Unreadable => {
            let policy = &candidate.policy;
            service.report_unreadable(&policy.key_id, &policy.name, &policy.client_id);
            Ok(false)
        }
    }
}

/// Does the work that a row with another key would have cost, so that timing does not reveal which ids exist.
pub(super) async fn prove_nothing(service: &Service, key: Plaintext) -> Result<(), Error> {
    black_box(
        service
            .cold_digests
            .digest(&key, service.hasher.dummy_hash()),
    );
    if service.cold_digests.is_hash_likely() {
        service.hasher.dummy(key).await?;
    }
    Ok(())
}
