//! Tells operators of rotated keys: who uses the new one, who still uses the old one, and who does after its time.

use std::time::Instant;

use crate::error::Error;
use crate::events::Event;
use crate::model::{Escaped, RotationNotice};
use crate::random;
use crate::reused_keys::ReusedKey;
use crate::service::Service;

/// Keys per statement, so that it finishes within its timeout.
const BATCH_MAX: usize = 1_000;

/// Records what the stored uses have to tell. The database has told nobody else.
pub(super) fn tell_of_rotations(service: &Service, notices: Vec<RotationNotice>) {
    for notice in notices {
        let (key_id, name, client_id) = (
            Escaped::new(&notice.key_id),
            Escaped::new(&notice.name),
            Escaped::new(&notice.client_id),
        );
        let event = match notice.previous_key_expires_at {
            None => Event::KeyRotationFirstUse {
                key_id,
                name,
                client_id,
                current_key_first_used_at: notice.used_at,
            },
            Some(previous_key_expires_at) => {
                service.metrics.previous_keys_still_used.add(1);
                Event::KeyPreviousStillUsed {
                    key_id,
                    name,
                    client_id,
                    previous_key_last_used_at: notice.used_at,
                    previous_key_expires_at,
                }
            }
        };
        service.record(event, service.now());
    }
}

/// Reports the replaced keys that were presented after their grace period, unless another process did within the hour.
pub(super) async fn report_reused_keys(service: &Service) -> Result<(), Error> {
    loop {
        let batch = service.reused_keys.pending(BATCH_MAX);
        if batch.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = batch.iter().map(|(id, _)| id.to_string()).collect();
        let report = random::id(&mut random::generator()?);
        let claimed = service.store.claim_reused_keys(&ids, &report).await?;
        for (key_id, reused) in batch {
            service.reused_keys.mark_reported(&key_id, Instant::now());
            if claimed.iter().any(|id| **id == *key_id) {
                service.metrics.reused_keys.add(1);
                service.record(reuse_detected(&key_id, reused), service.now());
            }
        }
    }
}

fn reuse_detected(key_id: &str, reused: ReusedKey) -> Event {
    let ReusedKey {
        name,
        client_id,
        ip,
    } = reused;
    Event::KeyReuseDetected {
        key_id: Escaped::new(key_id),
        name,
        client_id,
        ip,
    }
}
