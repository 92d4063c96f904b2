//! Renews the hash and the cold digest of a row in the background, after a correct key. This only saves work next time.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::model::{Plaintext, StoredHash};
use crate::random;
use crate::service::Service;
use crate::store::{Candidate, Kept, LockedRows};

/// What has proved a key.
#[derive(Clone, Copy)]
pub(super) enum ProvedBy {
    Digest { is_current_pepper: bool },
    Hash { outdated: bool },
}

/// Replaces a hash that has weaker parameters, and stores the cold digest if there is none for the current hash under the
/// pepper of new digests. The previous key of a grace period keeps its hash.
pub(super) fn renew_stored(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
    proved_by: ProvedBy,
) {
    let (is_outdated, is_digest_due, by_digest) = match proved_by {
        ProvedBy::Digest { is_current_pepper } => {
            (service.hasher.is_outdated(hash), !is_current_pepper, true)
        }
        ProvedBy::Hash { outdated } => (outdated, true, false),
    };
    let is_outdated = is_outdated && candidate.policy.grace_ends_at.is_none();
    if !is_outdated && !is_digest_due {
        return;
    }
    let permit = service.cold_digests.renewal();
    match permit {
        Some(permit) if is_outdated => spawn_rehash(service, key, hash, candidate, permit),
        // Digests are compared much faster than rows are written. A hash that was computed slows its caller down enough.
        None if by_digest => {}
        permit => spawn_digest(service, key, hash, candidate, permit),
    }
}

fn spawn_rehash(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
    permit: OwnedSemaphorePermit,
) {
    let (renewing, key, hash) = (Arc::clone(service), key.clone(), hash.clone());
    let id = Arc::clone(&candidate.policy.key_id);
    let work = async move {
        let _permit = permit;
        rehash(&renewing, &id, &key, &hash).await
    };
    service.spawn(BackgroundTask::Rehash, work);
}

fn spawn_digest(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &StoredHash,
    candidate: &Candidate,
    permit: Option<OwnedSemaphorePermit>,
) {
    let presented = service.cache.key(key.expose());
    let stored = candidate.cold_digest.as_deref();
    let Some(replacement) = service.cold_digests.replacement(presented, stored) else {
        return;
    };
    let (renewing, key, hash) = (Arc::clone(service), key.clone(), hash.clone());
    let id = Arc::clone(&candidate.policy.key_id);
    let work = async move {
        let _permit = permit;
        if !keep_digest(&renewing, &id, &key, &hash).await? {
            renewing.cold_digests.not_replaced(&replacement);
        }
        Ok(())
    };
    service.spawn(BackgroundTask::Rehash, work);
}

/// Returns whether the digest was stored. A row that is locked, as by the flush or by the other key of a grace period, is
/// tried again.
async fn keep_digest(
    service: &Service,
    id: &str,
    key: &Plaintext,
    hash: &StoredHash,
) -> Result<bool, Error> {
    let Some(digest) = service.cold_digests.digest(key, hash) else {
        return Ok(false);
    };
    let mut locked_rows = LockedRows::default();
    loop {
        match service.store.keep_cold_digest(id, hash, &digest).await? {
            Kept::Locked if locked_rows.wait().await => {}
            kept => return Ok(kept == Kept::Stored),
        }
    }
}

/// Hashes while no caller waits for a hash.
async fn rehash(
    service: &Service,
    id: &str,
    key: &Plaintext,
    current: &StoredHash,
) -> Result<(), Error> {
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash_when_idle(key.clone(), salt).await?;
    let digest = service.cold_digests.digest(key, &hash);
    let replaced = service
        .store
        .replace_hash(id, current, &hash, digest.as_deref());
    replaced.await.map(drop)
}
