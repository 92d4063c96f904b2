//! The limiter of one key, shared by everything that checks the key.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};

use parking_lot::{Mutex, RwLock};

use super::cell::GcraCell;
use super::rule::{self, Decision, Rule};

/// Nanoseconds since the start, by a monotonic clock.
pub(super) struct Timeline<C: Clock> {
    clock: C,
    start: C::Instant,
}

impl<C: Clock> Timeline<C> {
    pub(super) fn new(clock: C) -> Self {
        let start = clock.now();
        Self { clock, start }
    }

    pub(super) fn now(&self) -> u64 {
        self.clock.now().duration_since(self.start).as_u64()
    }
}

/// The fleet total of a key, as stored in the database: what all processes together have used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetUse {
    /// The reset generation of the rule under which it was used.
    pub generation: i32,
    /// Increases monotonically within a generation.
    pub total: u64,
    /// The time until all of it is available again, for a process that has not followed the total; zero if unknown.
    pub time_to_full: Duration,
}

/// The limiter of one key.
///
/// Checks run side by side under the read lock and reconcile with a compare-and-swap; only a change of
/// the rule takes the write lock.
pub struct Limiter<C: Clock = MonotonicClock> {
    cell: RwLock<GcraCell>,
    /// The fleet total up to which use has been charged; `None` if it is not followed.
    followed: Mutex<Option<Followed>>,
    refusal_streak: Mutex<RefusalStreak>,
    timeline: Arc<Timeline<C>>,
}

#[derive(Clone, Copy)]
struct Followed {
    generation: i32,
    total: u64,
    at: u64,
}

#[derive(Default)]
struct RefusalStreak {
    count: u32,
    last_at: u64,
}

impl<C: Clock> Limiter<C> {
    pub(super) fn new(rule: Rule, timeline: Arc<Timeline<C>>) -> Self {
        Self {
            cell: RwLock::new(GcraCell::new(rule)),
            followed: Mutex::default(),
            refusal_streak: Mutex::default(),
            timeline,
        }
    }

    /// Charges a request that costs `cost`, if it is within the limit.
    ///
    /// If the rule differs from the last one, the use is carried over, or reset by a later generation.
    pub fn check(&self, rule: Rule, cost: NonZeroU32) -> Decision {
        let cell = self.cell.read();
        if cell.rule() == rule {
            return cell.charge(cost, || self.timeline.now());
        }
        drop(cell);
        let mut cell = self.cell.write();
        cell.change_rule(rule, self.timeline.now());
        cell.charge(cost, || self.timeline.now())
    }

    /// Counts a refusal. Returns whether it is the last of `times`, with at most the rule's window between each and the
    /// next; the count then starts again.
    pub fn count_refusal(&self, rule: Rule, times: u32) -> bool {
        let now = self.timeline.now();
        let mut refusal_streak = self.refusal_streak.lock();
        if now.saturating_sub(refusal_streak.last_at) > rule.window_ns() {
            refusal_streak.count = 0;
        }
        *refusal_streak = RefusalStreak {
            count: refusal_streak.count + 1,
            last_at: now,
        };
        let reached = refusal_streak.count >= times;
        if reached {
            refusal_streak.count = 0;
        }
        reached
    }

    /// Charges the use of other processes: the increase of the fleet total since the last call, except for `own`, the
    /// part that this process has contributed.
    pub fn reconcile(&self, fleet: FleetUse, own: u64) {
        let mut followed = self.followed.lock();
        self.reset_before(fleet.generation);
        let now = self.timeline.now();
        let cell = self.cell.read();
        if fleet.generation < cell.rule().generation {
            // This use was reset, so it is not charged.
            return;
        }
        if followed
            .is_some_and(|known| known.generation == fleet.generation && known.total > fleet.total)
        {
            // This total was read before the one already known.
            return;
        }
        let before = followed.replace(Followed {
            generation: fleet.generation,
            total: fleet.total,
            at: now,
        });
        match before {
            Some(before) => {
                // With a new generation the total starts from zero.
                let known = if before.generation == fleet.generation {
                    before.total
                } else {
                    0
                };
                let others = fleet.total.saturating_sub(known).saturating_sub(own);
                cell.charge_elsewhere(others, before.at, now);
            }
            None => cell.charge_debt(rule::saturating(fleet.time_to_full.as_nanos()), now),
        }
    }

    fn reset_before(&self, generation: i32) {
        if self.cell.read().rule().generation < generation {
            let mut cell = self.cell.write();
            let rule = Rule {
                generation,
                ..cell.rule()
            };
            cell.change_rule(rule, self.timeline.now());
        }
    }

    /// The time until this many units are available again, after all earlier use.
    pub fn returns_in(&self, units: u64) -> Duration {
        let interval = self.cell.read().rule().emission_interval_ns();
        Duration::from_nanos(units.saturating_mul(interval))
    }

    /// Stops following the fleet total if all use is available again. Returns whether there is use that is not.
    pub(super) fn unfollow_if_unused(&self) -> bool {
        let mut followed = self.followed.lock();
        // The cell is locked first: its times are then never later than the clock read afterwards.
        let cell = self.cell.read();
        let now = self.timeline.now();
        if cell.is_full(now) {
            *followed = None;
            return false;
        }
        true
    }
}
