//! Rows in the sequence of changes that this process has seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::ages::Ages;
use super::row::{Row, RowTable};
use super::suspension::OwnSuspension;

/// A position in the sequence of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub(super) u64);

/// The rows of one table that something is cached of, and the sequence of their changes.
#[derive(Debug)]
pub struct Rows<S = OwnSuspension> {
    table: RowTable<S>,
    sequence: AtomicU64,
    /// The position at which any row was last considered changed.
    last_change: AtomicU64,
    /// The position at which all rows were.
    all_changed: AtomicU64,
    ages: Mutex<Ages>,
}

impl<S: Default> Rows<S> {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            table: RowTable::new(now),
            sequence: AtomicU64::new(0),
            last_change: AtomicU64::new(0),
            all_changed: AtomicU64::new(0),
            ages: Mutex::default(),
        }
    }

    /// The current position, to be recorded before a row is read.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.sequence.load(Ordering::Acquire))
    }

    pub fn get(&self, id: &str) -> Arc<Row<S>> {
        self.table.get(id)
    }

    /// Whether a row has not changed since it was read from `read_at` on.
    pub fn is_unchanged(&self, row: &Row<S>, read_at: Sequence) -> bool {
        let all = self.all_changed.load(Ordering::Acquire);
        row.changed_at().max(all) <= read_at.0
    }

    /// Whether no row at all has changed since this position.
    pub fn are_unchanged(&self, since: Sequence) -> bool {
        self.last_change.load(Ordering::Acquire) <= since.0
    }

    /// Records that a row has changed: whatever was read of it before is stale.
    pub fn changed(&self, id: &str) {
        let sequence = self.next();
        self.table.get(id).set_changed(sequence);
        self.last_change.fetch_max(sequence, Ordering::AcqRel);
    }

    /// Records that every row may have changed.
    pub fn all_changed(&self) {
        self.set_all_changed(self.next());
    }

    /// Makes what was read stale before it is older than `max_age`: a second line, should a change ever be missed. `now` is
    /// the time since some instant, by a clock that does not stand still; it is called about once a second.
    pub fn expire(&self, now: Duration, max_age: Duration) {
        let mut ages = self.ages.lock();
        if let Some(expired) = ages.advance(now, max_age, || self.next()) {
            self.set_all_changed(expired);
        }
    }

    /// Drops rows of which nothing is cached, once there are too many of them.
    pub fn sweep(&self, in_use: usize) {
        self.table.sweep(in_use);
    }

    fn set_all_changed(&self, sequence: u64) {
        self.all_changed.fetch_max(sequence, Ordering::AcqRel);
        self.last_change.fetch_max(sequence, Ordering::AcqRel);
    }

    fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::AcqRel) + 1
    }
}
