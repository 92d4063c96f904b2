//! The GCRA cell of one key: what it has used. Times are nanoseconds on one timeline.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, RateLimiter, StateStore};

use super::rule::{Decision, Rule, saturating};
use crate::model::RateLimit;

/// Usage is carried over from one rule to another in billionths of a request.
const REQUEST: u128 = 1_000_000_000;

/// The use of one key, and the rule by which it becomes available again.
pub(super) struct GcraCell {
    rule: Rule,
    /// The emission interval of the rule.
    interval_ns: u64,
    /// GCRA's theoretical arrival time: when the limit is full again. The time until then is the debt.
    arrival_time: AtomicU64,
    surplus: Surplus,
    /// Since when this is the rule.
    changed_at: u64,
}

/// The use beyond a limit at the time it came into force. It counts again if the limit is raised before `until`, so
/// that no order of edits allows extra requests.
struct Surplus {
    used: u128,
    until: u64,
}

const NO_SURPLUS: Surplus = Surplus { used: 0, until: 0 };

impl GcraCell {
    pub(super) fn new(rule: Rule) -> Self {
        Self {
            rule,
            interval_ns: rule.emission_interval_ns(),
            arrival_time: AtomicU64::new(0),
            surplus: NO_SURPLUS,
            changed_at: 0,
        }
    }

    /// Since when its rule is the one that it has.
    pub(super) fn changed_at(&self) -> u64 {
        self.changed_at
    }

    pub(super) fn rule(&self) -> Rule {
        self.rule
    }

    pub(super) fn charge(&self, cost: NonZeroU32, now: impl Fn() -> u64) -> Decision {
        // Checked first: governor would multiply such a cost beyond 64 bits, and could allow it.
        if cost > self.rule.limit {
            let debt = self.arrival_time.load(Acquire).saturating_sub(now());
            return Decision::too_costly(self.left(debt));
        }
        let state = CellState {
            arrival_time: &self.arrival_time,
            now,
            debt: Cell::new(0),
        };
        let limiter: RateLimiter<_, _, _, NoOpMiddleware<Nanos>> =
            RateLimiter::new(self.rule.quota(self.interval_ns), state, FrozenClock);
        let outcome = limiter.check_n(cost);
        let debt = limiter.into_state_store().debt.get();
        match outcome {
            Ok(Ok(())) => Decision::Allowed(self.left(debt)),
            Ok(Err(until)) => {
                Decision::too_early(self.left(debt), until.wait_time_from(FrozenClock.now()))
            }
            Err(_) => Decision::too_costly(self.left(debt)),
        }
    }

    /// The remainder if the limit is full again after this debt.
    pub(super) fn left(&self, debt: u64) -> RateLimit {
        self.rule.left(self.interval_ns, debt)
    }

    /// Decides as [`charge`](Self::charge) would, and charges nothing.
    pub(super) fn peek(&self, cost: NonZeroU32, now: impl Fn() -> u64) -> Decision {
        // The clock is read after the state, as in a charge.
        let arrival_time = self.arrival_time.load(Acquire);
        let now = now();
        let debt = arrival_time.saturating_sub(now);
        let copy = Self {
            arrival_time: AtomicU64::new(now.saturating_add(debt)),
            ..Self::new(self.rule)
        };
        match copy.charge(cost, || now) {
            Decision::Allowed(_) => Decision::Allowed(self.left(debt)),
            refused @ Decision::Refused { .. } => refused,
        }
    }

    /// Gives back what was charged. It never gives more than that: where the limit has been full since, it is full.
    pub(super) fn give_back(&self, cost: NonZeroU32) {
        let debt = u64::from(cost.get()).saturating_mul(self.interval_ns);
        let earlier = |arrival_time: u64| Some(arrival_time.saturating_sub(debt));
        let _ = self.arrival_time.fetch_update(AcqRel, Acquire, earlier);
    }

    /// Gives back units that are available again in `left` nanoseconds anyway. Returns the debt, and how many units that is.
    pub(super) fn refund(&self, units: u32, left: u64, now: u64) -> (u64, i64) {
        let most = u64::from(units).saturating_mul(self.interval_ns).min(left);
        let debt = |before: u64| most.min(before.saturating_sub(now));
        let update = |before: u64| Some(before - debt(before));
        let before = self.arrival_time.fetch_update(AcqRel, Acquire, update);
        let debt = before.map_or(0, debt);
        let units = i64::try_from(debt / self.interval_ns);
        (debt, units.unwrap_or(0))
    }

    /// How many of these units would not be available again, had they not been given back.
    pub(super) fn not_available(&self, units: i64, now: u64) -> i64 {
        let debt = u64::try_from(units)
            .unwrap_or(0)
            .saturating_mul(self.interval_ns);
        let arrival_time = self.arrival_time.load(Acquire).saturating_add(debt);
        let left = arrival_time.saturating_sub(now) / self.interval_ns;
        i64::try_from(left).unwrap_or(i64::MAX).min(units)
    }

    /// Charges units, but no more than are left. Returns how many.
    pub(super) fn charge_up_to(&self, units: u32, now: u64) -> i64 {
        let debt = u64::from(units).saturating_mul(self.interval_ns);
        let longest = now.saturating_add(self.rule.window_ns());
        let charged = |before: u64| {
            let from = before.max(now);
            from.saturating_add(debt).min(longest).max(from)
        };
        let update = |before| Some(charged(before));
        let before = self.arrival_time.fetch_update(AcqRel, Acquire, update);
        let before = before.unwrap_or(now);
        let debt = charged(before) - before.max(now);
        i64::try_from(debt.div_ceil(self.interval_ns)).unwrap_or(i64::MAX)
    }

    /// Carries the use over to `rule`, up to its whole limit, unless a later generation resets it. A reset is never
    /// undone: an earlier generation in `rule` is ignored.
    pub(super) fn change_rule(&mut self, rule: Rule, now: u64) {
        if rule.generation > self.rule.generation {
            *self = Self::new(rule);
        }
        let rule = Rule {
            generation: self.rule.generation,
            ..rule
        };
        if self.rule == rule {
            return;
        }
        let used = self.used(now);
        let charged = used.min(u128::from(rule.limit.get()) * REQUEST);
        let interval_ns = rule.emission_interval_ns();
        let debt = rounded(charged * u128::from(interval_ns), REQUEST);
        *self = Self {
            rule,
            interval_ns,
            arrival_time: AtomicU64::new(now.saturating_add(saturating(debt))),
            surplus: Surplus {
                used: used - charged,
                until: now.saturating_add(rule.window_ns()),
            },
            changed_at: now,
        };
    }

    /// Charges use by other processes since an instant, also beyond the limit, because it has already happened. It is
    /// charged as of that instant, so that whatever is available again by now costs nothing.
    pub(super) fn charge_elsewhere(&self, units: u64, since: u64, now: u64) {
        let debt = units.saturating_mul(self.interval_ns);
        self.extend(debt, since, now);
    }

    /// Charges a debt, in nanoseconds, from before this cell existed.
    pub(super) fn charge_debt(&self, debt: u64, now: u64) {
        self.extend(debt, now, now);
    }

    fn extend(&self, debt: u64, since: u64, now: u64) {
        let longest = now.saturating_add(self.rule.longest_debt_ns());
        let extended = |arrival_time: u64| {
            let extended = arrival_time.max(since).saturating_add(debt);
            Some(extended.min(longest).max(arrival_time))
        };
        let _ = self.arrival_time.fetch_update(AcqRel, Acquire, extended);
    }

    /// Whether a new cell would decide the same.
    pub(super) fn is_full(&self, now: u64) -> bool {
        self.used(now) == 0
    }

    /// Nanoseconds until the limit is full again.
    pub(super) fn debt(&self, now: u64) -> u64 {
        self.arrival_time.load(Acquire).saturating_sub(now)
    }

    /// The use in billionths of a request.
    fn used(&self, now: u64) -> u128 {
        let debt = self.debt(now);
        let charged = rounded(u128::from(debt) * REQUEST, self.interval_ns.into());
        let surplus = if now < self.surplus.until {
            self.surplus.used
        } else {
            0
        };
        charged + surplus
    }
}

/// Division to the nearest integer, so that going back and forth between two rules does not drift.
fn rounded(value: u128, divisor: u128) -> u128 {
    (value + divisor / 2) / divisor
}

/// The state of one check in governor's terms: the clock is [frozen](FrozenClock) at zero, and the arrival time is the
/// debt. So one limiter serves all rules, and the debt can be read exactly.
struct CellState<'a, F> {
    arrival_time: &'a AtomicU64,
    now: F,
    /// The debt after the check.
    debt: Cell<u64>,
}

impl<F: Fn() -> u64> StateStore for CellState<'_, F> {
    type Key = NotKeyed;

    fn measure_and_replace<T, D, E>(&self, _: &NotKeyed, decide: D) -> Result<T, E>
    where
        D: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut arrival_time = self.arrival_time.load(Acquire);
        loop {
            // The clock is read after the state. Read before, another thread's later charge would look like debt, and
            // the last request of a limit could be refused.
            let now = (self.now)();
            self.debt.set(arrival_time.saturating_sub(now));
            let (outcome, debt) = decide(Some(self.debt.get().into()))?;
            let charged = now.saturating_add(debt.as_u64());
            match self
                .arrival_time
                .compare_exchange_weak(arrival_time, charged, AcqRel, Acquire)
            {
                Ok(_) => {
                    self.debt.set(debt.as_u64());
                    return Ok(outcome);
                }
                Err(current) => arrival_time = current,
            }
        }
    }
}

/// The clock of one check.
struct FrozenClock;

impl Clock for FrozenClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::new(0)
    }
}
