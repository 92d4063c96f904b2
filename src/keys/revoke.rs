//! Revokes keys, and restores them.

use super::events;
use crate::error::Error;
use crate::events::{Event, KeyRevoked, KeysRevoked, RequestOrigin};
use crate::model::{Actor, ApiKey, BulkRevocation, Escaped, Revocation, Timestamp};
use crate::service::Service;

/// Refuses a key from now on, everywhere. `request` is that of whoever presented the key.
pub async fn revoke(
    service: &Service,
    revocation: &Revocation,
    actor: Option<Actor>,
    request: RequestOrigin,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    let revoked = service
        .store
        .revoke_key(revocation, actor.as_ref(), now)
        .await;
    // Even after an error, since the key may have been revoked all the same.
    service.row_changed(&revocation.key_id);
    let key = revoked?.ok_or(Error::NotFound("API key"))?;
    // Also where nothing was left to change: the first call may have ended with an error after it took effect.
    let event = KeyRevoked {
        key_id: Escaped::new(&key.id),
        name: Escaped::new(&key.name),
        client_id: Escaped::new(&key.client_id),
        reason: Escaped::new(key.revoked_reason.as_deref().unwrap_or_default()),
        note: revocation.note.as_deref().map(Escaped::new),
        actor: actor.as_ref().map(Actor::escaped),
        request,
    };
    service.record(Event::KeyRevoked(event), now);
    Ok(key)
}

/// Refuses all keys of a filter from now on, everywhere. Returns how many they are.
pub async fn revoke_all(
    service: &Service,
    revocation: &BulkRevocation,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<i64, Error> {
    let store = &service.store;
    let revoked = store.revoke_keys(revocation, actor.as_ref(), now).await;
    // Even after an error, since the keys may have been revoked all the same: the change log knows.
    service.changed.notify_one();
    let revoked = revoked?;
    for id in &revoked.ids {
        service.row_changed(id);
    }
    if !revoked.ids.is_empty() {
        // The statement has written the audit entry of each key.
        service.emit(&Event::KeysRevoked(KeysRevoked {
            count: revoked.count,
            reason: revocation.reason.name(),
            note: revocation.note.as_deref().map(Escaped::new),
            actor: actor.as_ref().map(Actor::escaped),
        }));
    }
    Ok(revoked.count)
}

/// Undoes a revocation, unless it was for a compromised key.
pub async fn restore(
    service: &Service,
    id: &str,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    let restored = service.store.restore_key(id, actor.as_ref(), now).await;
    // Even after an error, since the key may have been restored all the same.
    service.row_changed(id);
    let key = restored?.ok_or(Error::NotFound("API key"))?;
    if key.before.revoked_at.is_some() {
        let event = events::changed(&key, false, actor.as_ref());
        service.record(Event::KeyRestored(event), now);
    }
    Ok(key.after)
}
