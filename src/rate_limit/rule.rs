//! What is allowed, and what is left of it.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;

use crate::model::RateLimit;

/// The longest window that is told apart; it keeps all sums far from overflow.
const MAX_WINDOW: Duration = Duration::from_secs(366 * 86_400);

/// How much a key may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Requests per window; as many may come at once.
    pub limit: NonZeroU32,
    /// The time in which a used-up limit is full again. More than 366 days count as 366.
    pub window: Duration,
    /// A later one forgives what was used under an earlier one.
    pub generation: i32,
}

/// Whether a request is within the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is, and has been charged.
    Allowed(RateLimit),
    /// It is not, and has not been charged.
    Refused {
        /// What is left: less than the cost.
        rate_limit: RateLimit,
        /// Milliseconds until the same request would be allowed if no other came, rounded up.
        /// `None` when it costs more than the limit and never is.
        retry_after_ms: Option<u64>,
    },
}

impl Rule {
    /// Nanoseconds in which one used request returns, rounded down, at least 1.
    pub(super) fn emission_interval_ns(self) -> u64 {
        let window = self.window.min(MAX_WINDOW) / self.limit.get();
        saturating(window.as_nanos()).max(1)
    }

    /// Nanoseconds in which a used-up limit is full again.
    pub(super) fn window_ns(self) -> u64 {
        self.emission_interval_ns() * u64::from(self.limit.get())
    }

    /// The longest that what others used beyond the limit can keep a key waiting, in nanoseconds: a window, at least a
    /// minute. So a burst in many processes does not lock a key out for days.
    pub(super) fn lockout_ns(self) -> u64 {
        self.window_ns().max(60_000_000_000)
    }

    pub(super) fn quota(self) -> Quota {
        Quota::with_period(Duration::from_nanos(self.emission_interval_ns()))
            .unwrap_or(Quota::per_second(self.limit))
            .allow_burst(self.limit)
    }

    /// What is left when all is free again in `debt_ns`.
    pub(super) fn left(self, debt_ns: u64) -> RateLimit {
        let free = self.window_ns().saturating_sub(debt_ns) / self.emission_interval_ns();
        let limit = self.limit.get();
        RateLimit {
            limit,
            remaining: u32::try_from(free).unwrap_or(limit),
            reset_ms: millis(debt_ns),
        }
    }

    pub(super) fn too_costly(self, debt_ns: u64) -> Decision {
        Decision::Refused {
            rate_limit: self.left(debt_ns),
            retry_after_ms: None,
        }
    }

    pub(super) fn too_early(self, debt_ns: u64, wait: Duration) -> Decision {
        let retry_after_ms = Some(millis(saturating(wait.as_nanos())));
        Decision::Refused {
            rate_limit: self.left(debt_ns),
            retry_after_ms,
        }
    }
}

pub(super) fn saturating(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn millis(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000)
}
