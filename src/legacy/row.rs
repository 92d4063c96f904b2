//! Replaces the plaintext of one row by its hash. A row is only written while it holds what was hashed.

use std::time::Instant;

use crate::cache::CacheLookup;
use crate::error::Error;
use crate::events::Event;
use crate::model::{ALL_PERMISSIONS, Escaped, Plaintext, StoredHash, legacy_permissions};
use crate::random;
use crate::service::Service;
use crate::store::{PlaintextKey, PlaintextToken};

/// Hashes a key while nobody waits for a hash, and stores that; whether its row still held it.
pub(super) async fn hash_key(service: &Service, row: PlaintextKey) -> Result<bool, Error> {
    let PlaintextKey { id, key, digest } = row;
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash_when_idle(key.clone(), salt).await?;
    let adopted = service
        .store
        .hash_plaintext_key(&id, &digest, &hash)
        .await?;
    if adopted {
        update_cache(service, &id, &key, &hash);
    }
    Ok(adopted)
}

/// What was proved by the plaintext is proved by its hash: else the next change of the row would cost a hash.
fn update_cache(service: &Service, id: &str, key: &Plaintext, hash: &StoredHash) {
    let cache_key = service.cache.key(key.expose());
    if let CacheLookup::Current(entry) | CacheLookup::Stale(entry) =
        service.cache.find(&cache_key, Instant::now())
        && *entry.row.key_id == *id
    {
        entry.value.is_hashed_as(hash);
    }
}

/// Stores the digest of a token and what it permits; `None`: its row has changed meanwhile.
pub(super) async fn hash_token(
    service: &Service,
    token: &PlaintextToken,
) -> Result<Option<Vec<String>>, Error> {
    let permissions = match &token.permissions {
        Some(permissions) => permissions.clone(),
        None => legacy_permissions(&token.name),
    };
    let adopted = service
        .store
        .hash_plaintext_token(token, &permissions)
        .await?;
    if adopted && token.permissions.is_none() && permits_all(&permissions) {
        // When it happens, whoever did it and whatever comes after it.
        service.emit(&Event::AdminAdopted {
            token_id: Escaped::new(&token.id),
            name: Escaped::new(&token.name),
            permissions: Escaped::list(&permissions),
        });
    }
    Ok(adopted.then_some(permissions))
}

pub(super) fn permits_all(permissions: &[String]) -> bool {
    permissions
        .iter()
        .any(|permission| permission == ALL_PERMISSIONS)
}
