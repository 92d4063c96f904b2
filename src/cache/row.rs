//! The state shared by all entries of one row: its last change, and its suspension by this process.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::model::Timestamp;

#[derive(Debug)]
pub struct Row {
    /// Shared by everything cached for the row.
    pub key_id: Arc<str>,
    /// The time of the last request for it, in seconds since the set was created.
    requested_at: AtomicU32,
    changed_at: AtomicU64,
    /// A suspension by this process that has not been read back from the database, in milliseconds; `i64::MIN` if there
    /// is none.
    suspended_until: AtomicI64,
}

impl Row {
    pub(super) fn changed_at(&self) -> u64 {
        self.changed_at.load(Ordering::Acquire)
    }

    pub(super) fn set_changed(&self, sequence: u64) {
        self.changed_at.fetch_max(sequence, Ordering::AcqRel);
    }

    /// The end of the suspension by this process.
    pub fn suspended_until(&self) -> Option<Timestamp> {
        match self.suspended_until.load(Ordering::Acquire) {
            i64::MIN => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }

    /// Suspends the key in this process. Returns whether it was not suspended before.
    pub fn suspend(&self, until: Timestamp, now: Timestamp) -> bool {
        let before = self.suspended_until.load(Ordering::Acquire);
        before <= now.millis()
            && self
                .suspended_until
                .compare_exchange(before, until.millis(), Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    /// Lifts any suspension.
    pub fn lift_suspension(&self) {
        self.suspended_until.store(i64::MIN, Ordering::Release);
    }

    /// Lifts the suspension that ends at this instant. A later one, begun in the meantime, stays.
    pub fn lift_suspension_until(&self, until: Timestamp) {
        let _ = self.suspended_until.compare_exchange(
            until.millis(),
            i64::MIN,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
    }
}

#[derive(Debug)]
pub(super) struct RowTable {
    rows: Mutex<HashSet<ById>>,
    created_at: Instant,
}

/// A row in the set, looked up by its id.
#[derive(Debug)]
struct ById(Arc<Row>);

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        &self.0.key_id
    }
}

impl Hash for ById {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key_id.hash(state);
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.0.key_id == other.0.key_id
    }
}

impl Eq for ById {}

/// Rows are kept this long after a request, because a verify in flight may still check whether the row has changed.
const KEPT_SECONDS: u32 = 60;
const SLACK: usize = 1_024;

impl RowTable {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rows: Mutex::default(),
            created_at: now,
        }
    }

    pub(super) fn get(&self, key_id: &str) -> Arc<Row> {
        let now = self.seconds();
        let mut rows = self.rows.lock();
        if let Some(ById(row)) = rows.get(key_id) {
            row.requested_at.store(now, Ordering::Relaxed);
            return Arc::clone(row);
        }
        let row = Arc::new(Row {
            key_id: key_id.into(),
            requested_at: AtomicU32::new(now),
            changed_at: AtomicU64::new(0),
            suspended_until: AtomicI64::new(i64::MIN),
        });
        rows.insert(ById(Arc::clone(&row)));
        row
    }

    pub(super) fn sweep(&self, in_use: usize) {
        let now = self.seconds();
        let mut rows = self.rows.lock();
        if rows.len() > 2 * in_use + SLACK {
            let requested_recently = |row: &Row| {
                now.saturating_sub(row.requested_at.load(Ordering::Relaxed)) < KEPT_SECONDS
            };
            rows.retain(|ById(row)| Arc::strong_count(row) > 1 || requested_recently(row));
        }
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.created_at.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}
