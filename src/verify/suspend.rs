//! A key over its limit is suspended: here at once, and in the database, so that every process refuses it.

use std::sync::{Arc, Mutex, PoisonError};

use super::Entry;
use crate::audit;
use crate::error::Error;
use crate::events::{Event, printable};
use crate::model::{Grant, Timestamp};
use crate::service::Service;

/// Suspensions that the database does not know yet. Bounded by the number of cached keys.
#[derive(Default)]
pub struct Suspensions(Mutex<Vec<(Arc<Entry>, Timestamp)>>);

/// Suspends the key; answers for how many milliseconds. `None` where suspensions are switched off.
pub(super) fn suspend(service: &Service, entry: &Arc<Entry>, now: Timestamp) -> Option<u64> {
    let suspension = service.config.suspension;
    if suspension.is_zero() {
        return None;
    }
    let until = now.plus_seconds(i64::try_from(suspension.as_secs()).unwrap_or(i64::MAX));
    if entry.row.suspend(until, now) {
        service
            .suspensions
            .locked()
            .push((Arc::clone(entry), until));
        service.urgent.notify_one();
    }
    Some(until.millis_after(now))
}

fn suspended(grant: &Grant, until: Timestamp) -> Event {
    Event::KeySuspended {
        key_id: grant.key_id.to_string(),
        name: printable(&grant.name),
        client_id: printable(&grant.client_id),
        suspended_until: until.millis(),
    }
}

impl Suspensions {
    /// Stores what is new. On a fault it is kept for the next time; what has passed by then is forgotten.
    pub async fn store(&self, service: &Service, now: Timestamp) -> Result<(), Error> {
        let unstored = std::mem::take(&mut *self.locked());
        let mut result = Ok(());
        for (entry, until) in unstored {
            let lifted = entry.row.suspended_until() != Some(until);
            if lifted || until <= now {
                continue;
            }
            if result.is_ok() {
                let Grant {
                    key_id,
                    limiter_epoch,
                    ..
                } = &entry.value.grant;
                match service
                    .store
                    .suspend_key(key_id, *limiter_epoch, until, now)
                    .await
                {
                    Ok(took_effect) => {
                        if took_effect {
                            audit::record(service, suspended(&entry.value.grant, until), now);
                        }
                        // From here on the row says it: what is cached of it is read again.
                        service.cache.changed(key_id);
                        entry.row.lift_suspension();
                        continue;
                    }
                    Err(error) => result = Err(error),
                }
            }
            self.locked().push((entry, until));
        }
        result
    }

    pub fn is_empty(&self) -> bool {
        self.locked().is_empty()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<(Arc<Entry>, Timestamp)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
