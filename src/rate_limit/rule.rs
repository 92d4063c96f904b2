//! The rule of a rate limit, and the decisions under it.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::Quota;

use crate::model::RateLimit;

/// Longer windows count as this one, which keeps all sums far from overflow.
const MAX_WINDOW: Duration = Duration::from_secs(366 * 86_400);

/// The rate limit of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Requests per window; this many may come at once.
    pub limit: NonZeroU32,
    /// The time in which a used-up limit is full again. More than 366 days count as 366.
    pub window: Duration,
    /// The reset generation: a later one resets what was used under an earlier one.
    pub generation: i32,
}

/// The fleet total of a key, as stored in the database: what all processes together have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetUse {
    /// The reset generation of the rule under which it was used.
    pub generation: i32,
    /// Increases monotonically within a generation.
    pub total: u64,
    /// Nanoseconds until all of it is available again, for a process that has not followed the total.
    pub debt_ns: u64,
    /// The emission interval of the rule by which it is, in nanoseconds.
    pub interval_ns: u64,
}

/// What a process tells the others about use that it has charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Nanoseconds until the part of it that is not available again yet is.
    pub debt_ns: u64,
    /// The emission interval of the rule by which it is, in nanoseconds.
    pub interval_ns: u64,
    /// The longest debt of the key.
    pub longest_ns: u64,
}

impl Share {
    /// Use that is available again.
    pub const AVAILABLE: Self = Self {
        debt_ns: 0,
        interval_ns: 1,
        longest_ns: 0,
    };
}

/// The decision about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The request is within the limit, and has been charged unless the caller only peeked.
    Allowed(RateLimit),
    /// The request is not within the limit, and has not been charged.
    Refused {
        /// The remainder, which is less than the cost.
        rate_limit: RateLimit,
        /// Milliseconds until the same request would be allowed if no other came, rounded up. `None` if it costs more
        /// than the limit and can never be allowed.
        retry_after_ms: Option<u64>,
    },
}

impl Rule {
    /// Nanoseconds until one used request is available again, rounded down, at least 1.
    pub(super) fn emission_interval_ns(self) -> u64 {
        let window = self.window.min(MAX_WINDOW) / self.limit.get();
        saturating(window.as_nanos()).max(1)
    }

    /// Nanoseconds in which a used-up limit is full again.
    pub(super) fn window_ns(self) -> u64 {
        self.emission_interval_ns() * u64::from(self.limit.get())
    }

    /// The longest time for which use by other processes beyond the limit can lock a key out, in nanoseconds: a window,
    /// at least a minute. So a burst in many processes does not lock a key out for days.
    pub(super) fn lockout_ns(self) -> u64 {
        self.window_ns().max(60_000_000_000)
    }

    /// The longest debt that use by other processes can cause.
    pub(super) fn longest_debt_ns(self) -> u64 {
        self.window_ns() + self.lockout_ns()
    }

    /// The debt by this rule of what the fleet used by a rule that was changed so many nanoseconds ago.
    pub(super) fn debt_of(self, fleet: FleetUse, changed_ago: u64) -> u64 {
        let (interval, before) = (self.emission_interval_ns(), fleet.interval_ns.max(1));
        let scaled =
            |debt: u64| saturating(u128::from(debt) * u128::from(interval) / u128::from(before));
        if interval < before {
            // Since the change it becomes available again faster.
            scaled(fleet.debt_ns.saturating_add(changed_ago)).saturating_sub(changed_ago)
        } else {
            scaled(fleet.debt_ns)
        }
    }

    /// The limit in governor's terms. `interval_ns` is the emission interval, here and below: computing it takes divisions.
    pub(super) fn quota(self, interval_ns: u64) -> Quota {
        Quota::with_period(Duration::from_nanos(interval_ns))
            .unwrap_or(Quota::per_second(self.limit))
            .allow_burst(self.limit)
    }

    /// The remainder if the limit is full again in `debt_ns`.
    pub(super) fn left(self, interval_ns: u64, debt_ns: u64) -> RateLimit {
        let window_ns = interval_ns * u64::from(self.limit.get());
        let free = window_ns.saturating_sub(debt_ns) / interval_ns;
        let limit = self.limit.get();
        RateLimit {
            limit,
            remaining: u32::try_from(free).unwrap_or(limit),
            reset_ms: millis(debt_ns),
            window_seconds: self.window.as_secs(),
        }
    }
}

impl Decision {
    pub(super) fn too_costly(rate_limit: RateLimit) -> Self {
        Self::Refused {
            rate_limit,
            retry_after_ms: None,
        }
    }

    pub(super) fn too_early(rate_limit: RateLimit, wait: Duration) -> Self {
        Self::Refused {
            rate_limit,
            retry_after_ms: Some(millis(saturating(wait.as_nanos()))),
        }
    }
}

pub(super) fn saturating(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

fn millis(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000)
}
