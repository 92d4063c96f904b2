//! Proves that a presented key is the one of a row: by the cold digest if it can decide, otherwise by argon2id, or by the hash of
//! another program that was imported.

use std::hint::black_box;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::rehash::{ProvedBy, renew_stored};
use super::row::RowQuery;
use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::hash::{ImportedHash, Proof, is_imported};
use crate::legacy;
use crate::model::{Plaintext, StoredHash};
use crate::service::Service;
use crate::store::{Candidate, StoredKey};
use crate::token::DigestCheck;

/// What begins so names a row, and not its key alone.
const ROW: &str = "import:row:";

/// Whether the lookup names a key alone. What precedes a separator in it can be known to others.
pub(super) fn names_key(lookup: &str) -> bool {
    !lookup.starts_with(ROW)
}

/// Whether the presented key is the one of the row that was found.
pub(super) async fn is_right(
    service: &Arc<Service>,
    key: &Plaintext,
    query: &RowQuery,
    known: Option<&Arc<KeyEntry>>,
    candidate: &Candidate,
) -> Result<bool, Error> {
    match &candidate.stored {
        StoredKey::Plaintext(stored) => Ok(query.digest.is_some_and(|digest| digest.is(stored))),
        StoredKey::Hash(hash)
            if known.is_some_and(|entry| entry.value.was_authenticated_by(hash)) =>
        {
            Ok(true)
        }
        StoredKey::Hash(hash) => {
            is_proved(service, key, hash, candidate, names_key(&query.lookup)).await
        }
    }
}

/// Whether the presented key matches the row. `names_key` says whether what found the row names this key alone.
async fn is_proved(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
    names_key: bool,
) -> Result<bool, Error> {
    if is_imported(hash.as_str()) {
        return is_proved_as_imported(service, key, hash, candidate).await;
    }
    let digest = candidate.cold_digest.as_deref();
    match service.cold_digests.check(key, hash, digest) {
        DigestCheck::Match { is_current_pepper } => {
            let proved_by = ProvedBy::Digest { is_current_pepper };
            renew_stored(service, key, hash, candidate, proved_by);
            Ok(true)
        }
        DigestCheck::Mismatch => Ok(false),
        DigestCheck::Undecided => is_proved_by_hash(service, key, hash, candidate, names_key).await,
    }
}

async fn is_proved_by_hash(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
    names_key: bool,
) -> Result<bool, Error> {
    match service.hasher.verify(key.clone(), hash.clone()).await? {
        Proof::Match { outdated } => {
            let proved_by = ProvedBy::Hash { outdated };
            renew_stored(service, key, hash, candidate, proved_by);
            Ok(true)
        }
        Proof::Mismatch if !names_key => Ok(false),
        // The lookup names this key alone, so a hash that does not match it has been replaced without its lookup.
        Proof::Mismatch | Proof::Unreadable => {
            let policy = &candidate.policy;
            service.report_unreadable(&policy.key_id, &policy.name, &policy.client_id);
            Ok(false)
        }
    }
}

/// Whether the presented key is the one of a foreign hash. The hash is then replaced by one of ours, in every phase.
async fn is_proved_as_imported(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
) -> Result<bool, Error> {
    let policy = &candidate.policy;
    let imported = ImportedHash::read(hash.as_str());
    let secret = match &imported {
        Some(imported) if imported.needs_secret() => secret(service, &policy.key_id).await?,
        _ => Some(Zeroizing::default()),
    };
    let Some((imported, secret)) = imported.zip(secret) else {
        service.report_unreadable(&policy.key_id, &policy.name, &policy.client_id);
        return Ok(false);
    };
    let is_right = service.hasher.is_imported(key, imported, &secret).await?;
    // The previous key of a grace period keeps its hash.
    if is_right && policy.grace_ends_at.is_none() {
        legacy::hash_imported_on_first_use(service, &policy.key_id, key, hash);
    }
    Ok(is_right)
}

/// The key of the HMAC; `None` if there is none, or no seal of this process opens it.
async fn secret(service: &Service, key_id: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let sealed = service.store.import_secret(key_id).await?;
    Ok(sealed.and_then(|sealed| service.seals.open_text(&sealed, key_id)))
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
