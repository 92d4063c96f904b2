//! A key over its limit is suspended: here at once, and in the database, so that every process refuses it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::sleep;

use super::Entry;
use crate::audit;
use crate::error::Error;
use crate::events::Event;
use crate::lock::locked;
use crate::model::{Grant, Timestamp};
use crate::service::Service;
use crate::shown::Shown;
use crate::store::{Suspended, Suspension};

/// Suspensions that the database does not know yet. Bounded by the number of cached keys.
#[derive(Default)]
pub struct Suspensions {
    unstored: Mutex<Vec<Arc<Unstored>>>,
    /// Whose turn it is to store: who comes meanwhile waits for what is under way.
    turn: tokio::sync::Mutex<()>,
}

struct Unstored {
    entry: Arc<Entry>,
    until: Timestamp,
    /// With an unknown outcome.
    sent: AtomicBool,
}

/// Suspends the key; answers for how many milliseconds. `None` where suspensions are switched off.
pub(super) fn suspend(service: &Service, entry: &Arc<Entry>, now: Timestamp) -> Option<u64> {
    let suspension = service.config.suspension;
    if suspension.is_zero() {
        return None;
    }
    let until = now.plus_seconds(i64::try_from(suspension.as_secs()).unwrap_or(i64::MAX));
    if entry.row.suspend(until, now) {
        locked(&service.suspensions.unstored).push(Arc::new(Unstored {
            entry: Arc::clone(entry),
            until,
            sent: AtomicBool::new(false),
        }));
        service.urgent.notify_one();
    }
    Some(until.millis_after(now))
}

fn suspended(grant: &Grant, until: Timestamp) -> Event {
    Event::KeySuspended {
        key_id: Shown::new(&grant.key_id),
        name: Shown::new(&grant.name),
        client_id: Shown::new(&grant.client_id),
        suspended_until: until.millis(),
    }
}

impl Unstored {
    /// Neither stored nor lifted nor passed.
    fn is_due(&self, now: Timestamp) -> bool {
        self.until > now && self.entry.row.suspended_until() == Some(self.until)
    }

    /// As it is sent now.
    fn send(&self) -> Suspension {
        Suspension {
            key_id: self.entry.value.grant.key_id.to_string(),
            limiter_epoch: self.entry.value.grant.limiter_epoch,
            until: self.until,
            sent: self.sent.swap(true, Ordering::Relaxed),
        }
    }
}

impl Suspensions {
    /// No more than a statement can store in time.
    const BATCH_MAX: usize = 1_000;

    /// Stores what is new. On a fault it is kept for the next time; what has passed by then is forgotten.
    pub async fn store(&self, service: &Service) -> Result<(), Error> {
        const PAUSE: Duration = Duration::from_millis(50);
        /// Of rows that somebody has locked.
        const TRIES: usize = 20;
        let _turn = self.turn.lock().await;
        let mut tries = 0;
        loop {
            let due = self.due(Timestamp::now());
            if due.is_empty() {
                return Ok(());
            }
            let mut left = false;
            for batch in due.chunks(Self::BATCH_MAX) {
                left |= store_batch(service, batch).await?;
            }
            if !left {
                continue;
            }
            tries += 1;
            if tries == TRIES {
                return Err(Error::unavailable(
                    "Rows of suspended keys are locked in the database: their suspensions are kept and stored later",
                ));
            }
            sleep(PAUSE).await;
        }
    }

    /// What is to be stored; the rest is forgotten.
    fn due(&self, now: Timestamp) -> Vec<Arc<Unstored>> {
        let mut unstored = locked(&self.unstored);
        unstored.retain(|one| one.is_due(now));
        unstored.clone()
    }

    pub fn is_empty(&self) -> bool {
        locked(&self.unstored).is_empty()
    }
}

/// Whether some of it is left, since its rows are locked.
async fn store_batch(service: &Service, batch: &[Arc<Unstored>]) -> Result<bool, Error> {
    let now = Timestamp::now();
    let suspensions: Vec<_> = batch.iter().map(|one| one.send()).collect();
    let Suspended {
        stored,
        locked: left_out,
    } = service.store.suspend_keys(&suspensions, now).await?;
    let [stored, left_out] = [&stored, &left_out].map(|ids| ids.iter().collect::<HashSet<_>>());
    for (sent, one) in suspensions.iter().zip(batch) {
        if left_out.contains(&sent.key_id) {
            continue;
        }
        if stored.contains(&sent.key_id) {
            service.metrics.suspensions.add(1);
            audit::record(service, suspended(&one.entry.value.grant, one.until), now);
        }
        // From here on the row says it: what is cached of it is read again.
        service.cache.changed(&sent.key_id);
        one.entry.row.lift_suspension();
    }
    Ok(!left_out.is_empty())
}
