//! Hashes a legacy row on first use, before the backfill reaches it.

use std::sync::Arc;

use super::row::{hash_imported, hash_key, hash_token};
use crate::config::Adopt;
use crate::metrics::BackgroundTask;
use crate::model::{CredentialDigest, Plaintext, StoredHash};
use crate::service::Service;
use crate::store::{PlaintextKey, PlaintextToken};

/// Hashes a legacy key that was just authenticated, in the background, before the backfill reaches it.
pub fn hash_on_first_use(
    service: &Arc<Service>,
    id: &str,
    key: &Plaintext,
    digest: CredentialDigest,
) {
    if service.config.adopt == Adopt::Verify {
        return;
    }
    let Ok(permit) = Arc::clone(&service.first_uses).try_acquire_owned() else {
        return;
    };
    let hashing = Arc::clone(service);
    let key = PlaintextKey {
        id: id.to_owned(),
        key: key.clone(),
        digest,
    };
    // After an error the row is left to the backfill.
    let work = async move {
        let _permit = permit;
        hash_key(&hashing, key).await.map(drop)
    };
    service.spawn(BackgroundTask::LegacyBackfill, work);
}

/// Hashes an imported key that was just authenticated, in the background and in every phase. If too many wait, it is hashed at a
/// later authentication.
pub fn hash_imported_on_first_use(
    service: &Arc<Service>,
    id: &str,
    key: &Plaintext,
    imported: &StoredHash,
) {
    let Ok(permit) = Arc::clone(&service.first_uses).try_acquire_owned() else {
        return;
    };
    let hashing = Arc::clone(service);
    let (id, key, imported) = (id.to_owned(), key.clone(), imported.clone());
    let work = async move {
        let _permit = permit;
        hash_imported(&hashing, &id, &key, &imported).await
    };
    service.spawn(BackgroundTask::LegacyBackfill, work);
}

/// Hashes a legacy admin token that was just authenticated, in the background.
pub fn hash_token_on_first_use(service: &Arc<Service>, token: PlaintextToken) {
    if service.config.adopt == Adopt::Verify {
        return;
    }
    let hashing = Arc::clone(service);
    let work = async move { hash_token(&hashing, token).await.map(drop) };
    service.spawn(BackgroundTask::LegacyBackfill, work);
}
