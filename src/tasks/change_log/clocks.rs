//! Time that passes while the clock of the process stands still, because its machine is suspended.

use std::time::{Duration, Instant};

use crate::model::Timestamp;

/// Differences up to this are corrections of a clock.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Adds up the time that has passed by the faster of two clocks: the monotonic clock of this process, which is never set
/// but may stand still, and another one, which may be set.
#[derive(Debug)]
pub(super) struct Elapsed {
    read_at: Instant,
    other: Timestamp,
    pub(super) total: Duration,
}

impl Elapsed {
    pub(super) fn begin(read_at: Instant, other: Timestamp) -> Self {
        Self {
            read_at,
            other,
            total: Duration::ZERO,
        }
    }

    /// Reads both clocks. Returns how much more time has passed by the other one; zero if that is a correction.
    pub(super) fn advance(&mut self, read_at: Instant, other: Timestamp) -> Duration {
        let own = read_at.saturating_duration_since(self.read_at);
        let elsewhere = Duration::from_millis(other.millis_after(self.other));
        (self.read_at, self.other) = (read_at, other);
        self.total += own.max(elsewhere);
        let stood_still = elsewhere.saturating_sub(own);
        if stood_still > TOLERANCE {
            stood_still
        } else {
            Duration::ZERO
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_clock_that_stands_still_does_not_stop_the_time() {
        let start = Instant::now();
        let mut elapsed = Elapsed::begin(start, at(0));
        assert_eq!(
            elapsed.advance(start, at(3_600)),
            Duration::from_secs(3_600)
        );
        assert_eq!(elapsed.total, Duration::from_secs(3_600));
    }

    #[test]
    fn corrections_of_the_other_clock_are_no_suspension_and_a_clock_set_back_takes_nothing_away() {
        let start = Instant::now();
        let mut elapsed = Elapsed::begin(start, at(1_000));
        let second = |n| start + Duration::from_secs(n);
        assert_eq!(elapsed.advance(second(1), at(1_002)), Duration::ZERO);
        assert_eq!(elapsed.advance(second(2), at(0)), Duration::ZERO);
        assert_eq!(elapsed.advance(second(3), at(1)), Duration::ZERO);
        assert_eq!(elapsed.total, Duration::from_secs(4));
    }
}
