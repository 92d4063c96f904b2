//! The state shared by all entries of one row: its last change, and its suspension by this process.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
    /// The last suspension by this process, which stays after it was read back.
    own_suspension: Mutex<Option<OwnSuspension>>,
}

/// When a suspension ends: by the wall clock, which somebody may set, and by the monotonic one.
#[derive(Debug, Clone, Copy)]
struct OwnSuspension {
    until: Timestamp,
    ends: Instant,
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

    /// Suspends the key in this process. Returns until when, if it was not suspended before.
    pub fn suspend(&self, length: Duration, now: Timestamp) -> Option<Timestamp> {
        let mut own = self.own_suspension.lock();
        let before = self.suspended_until();
        if before.is_some_and(|until| end(*own, until, now).is_some()) {
            return None;
        }
        let until = now.plus(length);
        *own = Some(OwnSuspension {
            until,
            ends: Instant::now() + length,
        });
        self.suspended_until
            .store(until.millis(), Ordering::Release);
        Some(until)
    }

    /// When a suspension of this row ends; `None` if it has. One by this process lasts no longer than it was meant to,
    /// wherever the clock was set since.
    pub fn end_of(&self, until: Timestamp, now: Timestamp) -> Option<Timestamp> {
        (until > now).then(|| end(*self.own_suspension.lock(), until, now))?
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

fn end(own: Option<OwnSuspension>, until: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let own = own.filter(|own| own.until == until);
    let latest = own.map(|own| {
        let left = own.ends.saturating_duration_since(Instant::now());
        now.plus(rounded_up(left))
    });
    let end = latest.map_or(until, |latest| latest.min(until));
    (end > now).then_some(end)
}

/// In whole milliseconds, as instants are: nothing ends early because of a part of one.
fn rounded_up(time: Duration) -> Duration {
    const NANOS: u128 = 1_000_000;
    let millis = time.as_nanos().div_ceil(NANOS);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
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
            own_suspension: Mutex::default(),
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

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    #[test]
    fn an_own_suspension_lasts_no_longer_wherever_the_clock_is_set() {
        let row = RowTable::new(Instant::now()).get("a");
        let now = Timestamp::from_millis(0).plus(MONTH);
        let until = row.suspend(MINUTE, now).unwrap();
        assert_eq!(row.suspend(MINUTE, now), None);
        // The clock is set back.
        let back = Timestamp::from_millis(0);
        let end = row.end_of(until, back).unwrap();
        assert!(end <= back.plus(MINUTE));
        // Also once the suspension is read from the database.
        row.lift_suspension_until(until);
        assert!(row.end_of(until, back).unwrap() <= back.plus(MINUTE));
        // One that somebody else has made lasts as long as it says.
        let other = until.plus(MINUTE);
        assert_eq!(row.end_of(other, back), Some(other));
        assert_eq!(row.end_of(other, other), None);
    }

    #[test]
    fn a_part_of_a_millisecond_that_is_left_counts_as_a_whole_one() {
        assert_eq!(
            rounded_up(Duration::from_nanos(1)),
            Duration::from_millis(1)
        );
        assert_eq!(rounded_up(MINUTE), MINUTE);
        assert_eq!(rounded_up(Duration::MAX), Duration::from_millis(u64::MAX));
    }

    #[test]
    fn an_own_suspension_that_has_ended_does_not_prevent_the_next() {
        let row = RowTable::new(Instant::now()).get("a");
        let now = Timestamp::from_millis(0).plus(MONTH);
        assert!(row.suspend(Duration::ZERO, now).is_some());
        let back = Timestamp::from_millis(0);
        assert_eq!(row.end_of(now, back), None);
        assert_eq!(row.suspend(MINUTE, back), Some(back.plus(MINUTE)));
    }
}
