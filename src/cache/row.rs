//! A row of the database as far as everything cached of it shares something: when it last changed.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::suspension::OwnSuspension;

/// The state shared by all that is cached of one row. `S` is what else they share: by default the suspension of a key by
/// this process.
#[derive(Debug)]
pub struct Row<S = OwnSuspension> {
    /// Shared by everything cached for the row.
    pub id: Arc<str>,
    pub shared: S,
    /// The last use in this process. Only kept for a key that may become idle.
    last_use: Mutex<Option<Instant>>,
    /// The time of the last request for it, in seconds since the set was created.
    requested_at: AtomicU32,
    changed_at: AtomicU64,
}

impl<S> Row<S> {
    pub fn last_use(&self) -> Option<Instant> {
        *self.last_use.lock()
    }

    pub fn note_use(&self, now: Instant) {
        *self.last_use.lock() = Some(now);
    }

    pub(super) fn changed_at(&self) -> u64 {
        self.changed_at.load(Ordering::Acquire)
    }

    pub(super) fn set_changed(&self, sequence: u64) {
        self.changed_at.fetch_max(sequence, Ordering::AcqRel);
    }
}

#[derive(Debug)]
pub(super) struct RowTable<S> {
    rows: Mutex<HashSet<ById<S>>>,
    created_at: Instant,
    /// The time of the last sweep, in seconds since the set was created.
    swept_at: AtomicU32,
}

/// A row in the set, looked up by its id.
#[derive(Debug)]
struct ById<S>(Arc<Row<S>>);

impl<S> Borrow<str> for ById<S> {
    fn borrow(&self) -> &str {
        &self.0.id
    }
}

impl<S> Hash for ById<S> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.id.hash(state);
    }
}

impl<S> PartialEq for ById<S> {
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}

impl<S> Eq for ById<S> {}

/// Rows are kept this long after a request, because a verify in flight may still check whether the row has changed.
const KEPT_SECONDS: u32 = 60;
const SLACK: usize = 1_024;

impl<S: Default> RowTable<S> {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            rows: Mutex::new(HashSet::new()),
            created_at: now,
            swept_at: AtomicU32::new(0),
        }
    }

    pub(super) fn get(&self, id: &str) -> Arc<Row<S>> {
        let now = self.seconds();
        let mut rows = self.rows.lock();
        if let Some(ById(row)) = rows.get(id) {
            row.requested_at.store(now, Ordering::Relaxed);
            return Arc::clone(row);
        }
        let row = Arc::new(Row {
            id: id.into(),
            shared: S::default(),
            last_use: Mutex::default(),
            requested_at: AtomicU32::new(now),
            changed_at: AtomicU64::new(0),
        });
        rows.insert(ById(Arc::clone(&row)));
        row
    }

    /// Once a second is enough: a sweep looks at every row, and rows that are kept for a while would be looked at again and again.
    pub(super) fn sweep(&self, in_use: usize) {
        let now = self.seconds();
        if self.swept_at.swap(now, Ordering::Relaxed) == now {
            return;
        }
        let mut rows = self.rows.lock();
        if rows.len() > 2 * in_use + SLACK {
            let requested_recently = |row: &Row<S>| {
                now.saturating_sub(row.requested_at.load(Ordering::Relaxed)) < KEPT_SECONDS
            };
            rows.retain(|ById(row)| Arc::strong_count(row) > 1 || requested_recently(row));
        }
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.created_at.elapsed().as_secs()).unwrap_or(u32::MAX)
    }
}
