//! Replaces the plaintext of one row with its hash. The row is written only if it still holds the plaintext hashed.

use std::time::Instant;

use crate::cache::CacheLookup;
use crate::error::Error;
use crate::events::Event;
use crate::model::{ALL_PERMISSIONS, Escaped, Plaintext, StoredHash, legacy_permissions};
use crate::random;
use crate::service::Service;
use crate::store::{PlaintextKey, PlaintextToken};

/// Hashes a key while no caller waits for a hash, and stores the hash. Returns false if the row no longer held the key.
pub(super) async fn hash_key(service: &Service, row: PlaintextKey) -> Result<bool, Error> {
    let PlaintextKey { id, key, digest } = row;
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash_when_idle(key.clone(), salt).await?;
    let hashed = service
        .store
        .hash_plaintext_key(&id, &digest, &hash)
        .await?;
    if hashed {
        update_cache(service, &id, &key, &hash);
    }
    Ok(hashed)
}

/// Records that a key authenticated by its plaintext now has this hash. Otherwise the next change to the row would cost
/// another hash.
fn update_cache(service: &Service, id: &str, key: &Plaintext, hash: &StoredHash) {
    let cache_key = service.cache.key(key.expose());
    if let CacheLookup::Current(entry) | CacheLookup::Stale(entry) =
        service.cache.find(&cache_key, Instant::now())
        && *entry.row.key_id == *id
    {
        entry.value.set_hash(hash);
    }
}

/// Stores the digest of a token and its permissions, which are returned. Returns `None` if its row has changed since it
/// was read.
pub(super) async fn hash_token(
    service: &Service,
    token: &PlaintextToken,
) -> Result<Option<Vec<String>>, Error> {
    let permissions = match &token.permissions {
        Some(permissions) => permissions.clone(),
        None => legacy_permissions(&token.name),
    };
    let hashed = service
        .store
        .hash_plaintext_token(token, &permissions)
        .await?;
    if hashed && token.permissions.is_none() && permits_all(&permissions) {
        // Emitted here, for the first use and the backfill alike, so that a failure of a later step cannot lose it.
        service.emit(&Event::AdminAdopted {
            token_id: Escaped::new(&token.id),
            name: Escaped::new(&token.name),
            permissions: Escaped::list(&permissions),
        });
    }
    Ok(hashed.then_some(permissions))
}

pub(super) fn permits_all(permissions: &[String]) -> bool {
    permissions
        .iter()
        .any(|permission| permission == ALL_PERMISSIONS)
}
