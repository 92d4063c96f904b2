//! One moment by both clocks.

use std::time::Instant;

use super::timestamp::Timestamp;

/// One moment by the monotonic clock, which nobody sets but which may stand still while the machine is suspended, and by
/// the clock of the system, which goes on.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub instant: Instant,
    pub time: Timestamp,
}
