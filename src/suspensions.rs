//! Suspensions by this process that are not stored in the database yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::MutexGuard;

use parking_lot::Mutex;

use crate::cache::Row;
use crate::cached_key::KeyEntry;
use crate::model::{Escaped, Timestamp};
use crate::store::Suspension;

/// The pending suspensions, bounded by the number of cached keys.
#[derive(Default)]
pub struct Suspensions {
    pending: Mutex<Vec<Arc<PendingSuspension>>>,
    /// Admits one writer at a time: others wait until it has stored its suspensions.
    writer: tokio::sync::Mutex<()>,
}

/// It does not hold the cache entry, whose metadata would then stay in memory until the suspension is stored.
pub struct PendingSuspension {
    row: Arc<Row>,
    reset_generation: i32,
    /// The end of the suspension that the row held.
    ended: Option<Timestamp>,
    pub name: Escaped,
    pub client_id: Escaped,
    pub until: Timestamp,
    /// Whether it was sent to the database before, with an unknown outcome.
    sent: AtomicBool,
}

impl PendingSuspension {
    pub fn key_id(&self) -> &str {
        &self.row.id
    }

    /// Whether it is neither stored, lifted nor expired.
    fn is_due(&self, now: Timestamp) -> bool {
        self.row.shared.suspended_until() == Some(self.until)
            && self.row.shared.end_of(self.until, now).is_some()
    }

    /// The suspension to store. Marks it as sent.
    pub fn send(&self) -> Suspension {
        Suspension {
            key_id: self.key_id().to_owned(),
            reset_generation: self.reset_generation,
            until: self.until,
            ended: self.ended,
            sent: self.sent.swap(true, Ordering::Relaxed),
        }
    }

    /// Removes the suspension from memory, since the row now holds it. A later suspension of the key stays.
    pub fn mark_stored(&self) {
        self.row.shared.lift_suspension_until(self.until);
    }
}

impl Suspensions {
    /// Suspends the key in this process. Returns whether the suspension is new and must be stored.
    pub fn add(&self, entry: &Arc<KeyEntry>, length: Duration, now: Timestamp) -> bool {
        let Some(until) = entry.row.shared.suspend(length, now) else {
            return false;
        };
        let policy = &entry.value.policy;
        self.pending.lock().push(Arc::new(PendingSuspension {
            row: Arc::clone(&entry.row),
            reset_generation: policy.reset_generation,
            ended: policy.suspended_until,
            name: Escaped::new(&policy.name),
            client_id: Escaped::new(&policy.client_id),
            until,
            sent: AtomicBool::new(false),
        }));
        true
    }

    /// Waits until no other writer is active. Hold the guard while storing.
    pub async fn begin_storing(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// The suspensions to store. All others are dropped.
    pub fn due(&self, now: Timestamp) -> Vec<Arc<PendingSuspension>> {
        let mut pending = self.pending.lock();
        pending.retain(|suspension| suspension.is_due(now));
        pending.clone()
    }

    pub fn is_empty(&self) -> bool {
        self.pending.lock().is_empty()
    }
}
