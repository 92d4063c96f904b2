//! Replaces the plaintext of one row with its hash. The row is written only if it still holds what was hashed.

use crate::cache::CacheLookup;
use crate::error::Error;
use crate::events::Event;
use crate::hash::is_stored_hash;
use crate::model::{ALL_PERMISSIONS, Escaped, Plaintext, StoredHash, legacy_permissions};
use crate::random;
use crate::service::Service;
use crate::store::{LockedRows, PlaintextKey, PlaintextToken};

/// How often a row is tried that other writers keep changing.
const TRIES: usize = 5;

/// Hashes a key while no caller waits for a hash, and stores the hash. A key that was replaced meanwhile is hashed at once.
/// Returns false if the row is left for later: it is locked or gone, or the hash is already stored in another row.
pub(super) async fn hash_key(service: &Service, mut row: PlaintextKey) -> Result<bool, Error> {
    for _ in 0..TRIES {
        if try_key(service, &row).await? {
            return Ok(true);
        }
        match service.store.plaintext_key(&row.id).await? {
            Some(current)
                if !current.digest.is(&row.digest) && !is_stored_hash(current.key.expose()) =>
            {
                row = current;
            }
            _ => break,
        }
    }
    Ok(false)
}

async fn try_key(service: &Service, row: &PlaintextKey) -> Result<bool, Error> {
    let PlaintextKey { id, key, digest } = row;
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash_when_idle(key.clone(), salt).await?;
    let cold_digest = service.cold_digests.digest(key, &hash);
    let hashed = service
        .store
        .hash_plaintext_key(id, digest, &hash, cold_digest.as_deref())
        .await?;
    if hashed {
        update_cache(service, id, key, &hash);
    }
    Ok(hashed)
}

/// Replaces the foreign hash of a key by its own, while no caller waits for a hash. A row that is locked, as by the flush, is tried
/// again.
pub(super) async fn hash_imported(
    service: &Service,
    id: &str,
    key: &Plaintext,
    imported: &StoredHash,
) -> Result<(), Error> {
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash_when_idle(key.clone(), salt).await?;
    let digest = service.cold_digests.digest(key, &hash);
    let mut locked_rows = LockedRows::default();
    loop {
        let replaced = service
            .store
            .replace_hash(id, imported, &hash, digest.as_deref());
        if replaced.await? {
            update_cache(service, id, key, &hash);
            return Ok(());
        }
        if !locked_rows.wait().await {
            return Ok(());
        }
    }
}

/// Records that a key authenticated by its plaintext now has this hash. Otherwise the next change to the row would cost
/// another hash.
fn update_cache(service: &Service, id: &str, key: &Plaintext, hash: &StoredHash) {
    let cache_key = service.cache.key(key.expose());
    if let CacheLookup::Current(entry) | CacheLookup::Stale(entry) =
        service.cache.find(&cache_key, service.moment())
        && *entry.row.id == *id
    {
        entry.value.set_hash(hash);
    }
}

/// An admin token whose digest is stored now.
pub(super) struct HashedToken {
    pub(super) token: PlaintextToken,
    /// Whether it was given all permissions because of its name.
    pub(super) got_all_permissions: bool,
}

/// Stores the digest of a token and its permissions. A row that has changed since it was read is read again at once.
/// Returns `None` if the row is left for later, for the same reasons as a key.
pub(super) async fn hash_token(
    service: &Service,
    mut token: PlaintextToken,
) -> Result<Option<HashedToken>, Error> {
    for _ in 0..TRIES {
        if let Some(got_all_permissions) = try_token(service, &token).await? {
            return Ok(Some(HashedToken {
                token,
                got_all_permissions,
            }));
        }
        match service.store.plaintext_token(&token.id).await? {
            Some(current) if current != token => token = current,
            _ => break,
        }
    }
    Ok(None)
}

/// Returns whether the token got all permissions because of its name; `None` if the row was not written.
async fn try_token(service: &Service, token: &PlaintextToken) -> Result<Option<bool>, Error> {
    let permissions = match &token.permissions {
        Some(permissions) => permissions.clone(),
        None => legacy_permissions(&token.name),
    };
    let hashed = service
        .store
        .hash_plaintext_token(token, &permissions)
        .await?;
    let got_all_permissions = hashed && token.permissions.is_none() && permits_all(&permissions);
    if got_all_permissions {
        // Emitted here, for the first use and the backfill alike, so that a failure of a later step cannot lose it.
        service.emit(&Event::AdminAdopted {
            token_id: Escaped::new(&token.id),
            name: Escaped::new(&token.name),
            permissions: Escaped::list(&permissions),
        });
    }
    Ok(hashed.then_some(got_all_permissions))
}

fn permits_all(permissions: &[String]) -> bool {
    permissions
        .iter()
        .any(|permission| permission == ALL_PERMISSIONS)
}
