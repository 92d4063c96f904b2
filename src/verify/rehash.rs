//! Renews the hash and the cold digest of a row in the background, after a correct key. This only saves work next time.

use std::sync::Arc;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::model::{Plaintext, StoredHash};
use crate::random;
use crate::service::Service;
use crate::store::Candidate;

/// Replaces a hash that has weaker parameters, and stores the cold digest if there is none for the current hash.
pub(super) fn renew_stored(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
    outdated: bool,
) {
    let is_current = candidate.policy.grace_ends_at.is_none();
    if !is_current || (!outdated && service.cold_digests.is_none()) {
        return;
    }
    let (renewing, key, hash) = (Arc::clone(service), key.clone(), hash.clone());
    let id = Arc::clone(&candidate.policy.key_id);
    let work = async move { renew(&renewing, &id, &key, hash, outdated).await };
    service.spawn(BackgroundTask::Rehash, work);
}

async fn renew(
    service: &Service,
    id: &str,
    key: &Plaintext,
    hash: StoredHash,
    outdated: bool,
) -> Result<(), Error> {
    let hash = if outdated {
        rehash(service, id, key, hash).await?
    } else {
        hash
    };
    let cold = service.cold_digests.as_ref();
    let Some(digest) = cold.and_then(|cold| cold.digest(key, &hash)) else {
        return Ok(());
    };
    service.store.keep_cold_digest(id, &hash, &digest).await
}

async fn rehash(
    service: &Service,
    id: &str,
    key: &Plaintext,
    current: StoredHash,
) -> Result<StoredHash, Error> {
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash(key.clone(), salt).await?;
    service.store.replace_hash(id, &current, &hash).await?;
    Ok(hash)
}
