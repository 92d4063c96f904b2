//! What all entries of one row share: when it changed last, and its suspension by this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::Timestamp;

#[derive(Debug)]
pub struct Row {
    changed_at: AtomicU64,
    /// Suspended here and not yet read back from the database, in milliseconds; `i64::MIN`: not.
    suspended_until: AtomicI64,
}

impl Row {
    pub(super) fn changed_at(&self) -> u64 {
        self.changed_at.load(Ordering::Acquire)
    }

    pub(super) fn set_changed(&self, sequence: u64) {
        self.changed_at.fetch_max(sequence, Ordering::AcqRel);
    }

    /// Until when this process has suspended the key.
    pub fn suspended_until(&self) -> Option<Timestamp> {
        match self.suspended_until.load(Ordering::Acquire) {
            i64::MIN => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }

    /// Suspends the key here; whether it was not suspended before.
    pub fn suspend(&self, until: Timestamp, now: Timestamp) -> bool {
        let before = self.suspended_until.load(Ordering::Acquire);
        before <= now.millis()
            && self
                .suspended_until
                .compare_exchange(before, until.millis(), Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    pub fn lift_suspension(&self) {
        self.suspended_until.store(i64::MIN, Ordering::Release);
    }
}

#[derive(Debug, Default)]
pub(super) struct Rows(Mutex<HashMap<Box<str>, (Arc<Row>, Instant)>>);

/// A verify in flight may still ask whether a row changed since it began.
const KEPT: Duration = Duration::from_secs(60);
const SLACK: usize = 1_024;

impl Rows {
    pub(super) fn get(&self, key_id: &str) -> Arc<Row> {
        let mut rows = self.locked();
        if let Some((row, asked)) = rows.get_mut(key_id) {
            *asked = Instant::now();
            return Arc::clone(row);
        }
        let row = Arc::new(Row {
            changed_at: AtomicU64::new(0),
            suspended_until: AtomicI64::new(i64::MIN),
        });
        rows.insert(key_id.into(), (Arc::clone(&row), Instant::now()));
        row
    }

    pub(super) fn sweep(&self, in_use: usize) {
        let mut rows = self.locked();
        if rows.len() > 2 * in_use + SLACK {
            rows.retain(|_, (row, asked)| Arc::strong_count(row) > 1 || asked.elapsed() < KEPT);
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Box<str>, (Arc<Row>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
