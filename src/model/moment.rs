//! One moment by both clocks.

use std::time::{Duration, Instant};

use super::timestamp::Timestamp;

/// One moment by the monotonic clock, which nobody sets but which may stand still while the machine is suspended, and by
/// the clock of the system, which goes on.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub instant: Instant,
    pub time: Timestamp,
}

impl Moment {
    /// The time since an earlier moment, by the clock that says more.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let here = self.instant.saturating_duration_since(earlier.instant);
        here.max(Duration::from_millis(self.time.millis_after(earlier.time)))
    }
}
