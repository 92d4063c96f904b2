//! Suspensions by this process that the database does not know yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::MutexGuard;

use parking_lot::Mutex;

use crate::cached_key::KeyEntry;
use crate::model::{KeyPolicy, Timestamp};
use crate::store::Suspension;

/// Bounded by the number of cached keys.
#[derive(Default)]
pub struct Suspensions {
    pending: Mutex<Vec<Arc<PendingSuspension>>>,
    /// One writer at a time: whoever comes meanwhile waits for what is being stored.
    writer: tokio::sync::Mutex<()>,
}

pub struct PendingSuspension {
    entry: Arc<KeyEntry>,
    pub until: Timestamp,
    /// With an unknown outcome.
    sent: AtomicBool,
}

impl PendingSuspension {
    pub fn policy(&self) -> &KeyPolicy {
        &self.entry.value.policy
    }

    /// Neither stored nor lifted nor over.
    fn is_due(&self, now: Timestamp) -> bool {
        self.until > now && self.entry.row.suspended_until() == Some(self.until)
    }

    /// As it is sent now.
    pub fn send(&self) -> Suspension {
        Suspension {
            key_id: self.policy().key_id.to_string(),
            reset_generation: self.policy().reset_generation,
            until: self.until,
            sent: self.sent.swap(true, Ordering::Relaxed),
        }
    }

    /// From here on the row says it; a later suspension of the key stays.
    pub fn is_stored(&self) {
        self.entry.row.lift_suspension_until(self.until);
    }
}

impl Suspensions {
    /// Suspends the key in this process; whether that is to be stored.
    pub fn add(&self, entry: &Arc<KeyEntry>, until: Timestamp, now: Timestamp) -> bool {
        let is_new = entry.row.suspend(until, now);
        if is_new {
            self.pending.lock().push(Arc::new(PendingSuspension {
                entry: Arc::clone(entry),
                until,
                sent: AtomicBool::new(false),
            }));
        }
        is_new
    }

    /// Begins to store; held while it is done.
    pub async fn begin_storing(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// What is to be stored; the rest is forgotten.
    pub fn due(&self, now: Timestamp) -> Vec<Arc<PendingSuspension>> {
        let mut pending = self.pending.lock();
        pending.retain(|suspension| suspension.is_due(now));
        pending.clone()
    }

    pub fn is_empty(&self) -> bool {
        self.pending.lock().is_empty()
    }
}
