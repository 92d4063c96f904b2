//! The suspension of a key by this process, which the database may not know yet.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::model::Timestamp;

#[derive(Debug)]
pub struct OwnSuspension {
    /// The end of one that has not been read back from the database, in milliseconds; `i64::MIN` if there is none.
    until: AtomicI64,
    /// The end of the last one, which stays after it was read back.
    last: Mutex<Option<End>>,
    /// Refusals by limits that the key shares with others.
    refusals: Mutex<Refusals>,
}

/// Refusals that followed each other.
#[derive(Debug, Default)]
struct Refusals {
    count: u32,
    last_at: Option<Instant>,
}

impl Default for OwnSuspension {
    fn default() -> Self {
        Self {
            until: AtomicI64::new(i64::MIN),
            last: Mutex::default(),
            refusals: Mutex::default(),
        }
    }
}

/// When a suspension ends: by the wall clock, which somebody may set, and by the monotonic one.
#[derive(Debug, Clone, Copy)]
struct End {
    until: Timestamp,
    ends: Instant,
}

impl OwnSuspension {
    /// The end of the suspension by this process.
    pub fn suspended_until(&self) -> Option<Timestamp> {
        match self.until.load(Ordering::Acquire) {
            i64::MIN => None,
            millis => Some(Timestamp::from_millis(millis)),
        }
    }

    /// Suspends the key in this process. Returns until when, if it was not suspended before.
    pub fn suspend(&self, length: Duration, now: Timestamp) -> Option<Timestamp> {
        let mut own = self.last.lock();
        let before = self.suspended_until();
        if before.is_some_and(|until| end(*own, until, now).is_some()) {
            return None;
        }
        let until = now.plus(length);
        *own = Some(End {
            until,
            ends: Instant::now() + length,
        });
        self.until.store(until.millis(), Ordering::Release);
        Some(until)
    }

    /// Counts a refusal by a limit that the key shares with others. Returns whether it is the last of `times`, with at most
    /// `window` between each and the next; the count then starts again.
    pub fn count_refusal(&self, window: Duration, times: u32) -> bool {
        let now = Instant::now();
        let mut refusals = self.refusals.lock();
        let is_next = |at: Instant| now.saturating_duration_since(at) <= window;
        if !refusals.last_at.is_some_and(is_next) {
            refusals.count = 0;
        }
        refusals.count += 1;
        refusals.last_at = Some(now);
        let reached = refusals.count >= times;
        if reached {
            refusals.count = 0;
        }
        reached
    }

    /// When a suspension of this row ends; `None` if it has. One by this process lasts no longer than it was meant to,
    /// wherever the clock was set since.
    pub fn end_of(&self, until: Timestamp, now: Timestamp) -> Option<Timestamp> {
        (until > now).then(|| end(*self.last.lock(), until, now))?
    }

    /// Lifts any suspension.
    pub fn lift_suspension(&self) {
        self.until.store(i64::MIN, Ordering::Release);
    }

    /// Lifts the suspension that ends at this instant. A later one, begun in the meantime, stays.
    pub fn lift_suspension_until(&self, until: Timestamp) {
        let _ = self.until.compare_exchange(
            until.millis(),
            i64::MIN,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
    }
}

fn end(own: Option<End>, until: Timestamp, now: Timestamp) -> Option<Timestamp> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    #[test]
    fn an_own_suspension_lasts_no_longer_wherever_the_clock_is_set() {
        let own = OwnSuspension::default();
        let now = Timestamp::from_millis(0).plus(MONTH);
        let until = own.suspend(MINUTE, now).unwrap();
        assert_eq!(own.suspend(MINUTE, now), None);
        // The clock is set back.
        let back = Timestamp::from_millis(0);
        let end = own.end_of(until, back).unwrap();
        assert!(end <= back.plus(MINUTE));
        // Also once the suspension is read from the database.
        own.lift_suspension_until(until);
        assert!(own.end_of(until, back).unwrap() <= back.plus(MINUTE));
        // One that somebody else has made lasts as long as it says.
        let other = until.plus(MINUTE);
        assert_eq!(own.end_of(other, back), Some(other));
        assert_eq!(own.end_of(other, other), None);
    }

    #[test]
    fn refusals_are_counted_up_to_a_number_and_forgotten_after_a_window() {
        let own = OwnSuspension::default();
        let reached = |window| {
            (0..5)
                .map(|_| own.count_refusal(window, 2))
                .collect::<Vec<_>>()
        };
        assert_eq!(reached(MINUTE), [false, true, false, true, false]);
        own.refusals.lock().last_at = Instant::now().checked_sub(2 * MINUTE);
        assert!(!own.count_refusal(MINUTE, 2));
        assert!(own.count_refusal(MINUTE, 2));
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
        let own = OwnSuspension::default();
        let now = Timestamp::from_millis(0).plus(MONTH);
        assert!(own.suspend(Duration::ZERO, now).is_some());
        let back = Timestamp::from_millis(0);
        assert_eq!(own.end_of(now, back), None);
        assert_eq!(own.suspend(MINUTE, back), Some(back.plus(MINUTE)));
    }
}
