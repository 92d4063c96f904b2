//! The limiter of one limit, shared by everything that charges it.

mod sharing;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};

use parking_lot::{Mutex, RwLock};

use super::cell::GcraCell;
use super::refunds::Refunds;
use super::rule::{Decision, FleetUse, Rule, Share, saturating};
use crate::model::RateLimit;

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

/// The limiter of one limit of a key or client.
///
/// Checks run side by side under the read lock and reconcile with a compare-and-swap; only a change of
/// the rule takes the write lock.
pub struct Limiter<C: Clock = MonotonicClock> {
    pub(super) cell: RwLock<GcraCell>,
    /// The fleet total up to which use has been charged; `None` if it is not followed.
    followed: Mutex<Option<Followed>>,
    refusal_streak: Mutex<RefusalStreak>,
    /// What was charged in this generation and is not yet on its way to the other processes; below zero what was given back after
    /// they were told of it. Written under the lock of the cell.
    pub(super) unshared: AtomicI64,
    /// When this process last told its use as the only one that uses the limit; 0 if others may use it.
    alone_at: AtomicU64,
    /// When the key was last changed since the rule was; 0 if it was not.
    changed_at: AtomicU64,
    /// Present once something was given back.
    pub(super) refunds: Mutex<Option<Box<Refunds>>>,
    pub(super) timeline: Arc<Timeline<C>>,
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
            unshared: AtomicI64::new(0),
            alone_at: AtomicU64::new(0),
            changed_at: AtomicU64::new(0),
            refunds: Mutex::default(),
            timeline,
        }
    }

    /// Charges a request that costs `cost`, if it is within the limit, and tells the other processes with the next flush.
    ///
    /// If the rule differs from the last one, the use is carried over, or reset by a later generation.
    pub fn check(&self, rule: Rule, cost: NonZeroU32) -> Decision {
        self.by_rule(rule, |cell| {
            let decision = cell.charge(cost, || self.timeline.now());
            if matches!(decision, Decision::Allowed(_)) {
                self.add_unshared(cost);
            }
            decision
        })
    }

    /// The same for a request that has other limits: [`share_later`](Self::share_later) follows once it is known that the request
    /// is within those too, otherwise [`give_back`](Self::give_back).
    pub fn charge(&self, rule: Rule, cost: NonZeroU32) -> Decision {
        self.by_rule(rule, |cell| cell.charge(cost, || self.timeline.now()))
    }

    /// Tells the other processes with the next flush what was charged.
    pub fn share_later(&self, rule: Rule, cost: NonZeroU32) {
        self.by_rule(rule, |_| self.add_unshared(cost));
    }

    fn add_unshared(&self, cost: NonZeroU32) {
        let units = cost.get().into();
        self.unshared.fetch_add(units, Ordering::Relaxed);
    }

    /// Decides about the same request without charging it. The state of the limit is as it stands.
    pub fn peek(&self, rule: Rule, cost: NonZeroU32) -> Decision {
        self.by_rule(rule, |cell| cell.peek(cost, || self.timeline.now()))
    }

    /// The state of the limit as it stands.
    pub fn state(&self, rule: Rule) -> RateLimit {
        self.by_rule(rule, |cell| cell.left(cell.debt(self.timeline.now())))
    }

    /// Gives back what [`charge`](Self::charge) has charged a moment ago.
    pub fn give_back(&self, rule: Rule, cost: NonZeroU32) {
        self.by_rule(rule, |cell| cell.give_back(cost));
    }

    fn by_rule<T>(&self, rule: Rule, decide: impl Fn(&GcraCell) -> T) -> T {
        let cell = self.cell.read();
        if cell.rule() == rule {
            return decide(&cell);
        }
        drop(cell);
        let mut cell = self.cell.write();
        self.change_rule(&mut cell, rule, self.changed_at());
        decide(&cell)
    }

    /// Changes the rule. What was charged in an earlier generation is reset in all processes, so none needs to know of it.
    fn change_rule(&self, cell: &mut GcraCell, rule: Rule, at: u64) {
        if rule.generation > cell.rule().generation {
            self.unshared.store(0, Ordering::Relaxed);
        } else {
            // What was given back was that of the other rule.
            self.unshared.fetch_max(0, Ordering::Relaxed);
        }
        cell.change_rule(rule, at);
    }

    /// Notes that the key or client was changed now: a change of its rule counts from here, however much later the next check
    /// comes.
    pub(super) fn note_change(&self) {
        self.changed_at
            .store(self.timeline.now(), Ordering::Relaxed);
    }

    /// Notes that the row was read with this rule. If it is the last one, no change so far was one of the rule.
    pub(super) fn note_read(&self, rule: Rule) {
        if self.cell.read().rule() == rule {
            self.changed_at.store(0, Ordering::Relaxed);
        }
    }

    /// When the rule was changed.
    fn changed_at(&self) -> u64 {
        match self.changed_at.swap(0, Ordering::Relaxed) {
            0 => self.timeline.now(),
            at => at,
        }
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

    /// Takes over what other processes have used, unless this one follows the total already or has use of its own, which
    /// may be part of it. `changed_ago` is the time since the key was changed.
    pub fn join(&self, fleet: FleetUse, changed_ago: Duration) {
        let mut followed = self.followed.lock();
        let is_full = self.cell.read().is_full(self.timeline.now());
        if followed.is_none() && is_full {
            self.follow(&mut followed, fleet, 0, changed_ago);
        }
    }

    /// Charges the use of other processes: the increase of the fleet total since the last call, except for `own`, the
    /// part that this process has contributed.
    pub fn reconcile(&self, fleet: FleetUse, own: u64) {
        self.follow(&mut self.followed.lock(), fleet, own, Duration::ZERO);
    }

    fn follow(
        &self,
        followed: &mut Option<Followed>,
        fleet: FleetUse,
        own: u64,
        changed_ago: Duration,
    ) {
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
            None => {
                let changed_ago = saturating(changed_ago.as_nanos());
                cell.charge_debt(cell.rule().debt_of(fleet, changed_ago), now);
            }
        }
    }

    fn reset_before(&self, generation: i32) {
        if self.cell.read().rule().generation < generation {
            let mut cell = self.cell.write();
            let rule = Rule {
                generation,
                ..cell.rule()
            };
            self.change_rule(&mut cell, rule, self.timeline.now());
        }
    }

    /// What other processes should know of this many units, which have been charged.
    pub fn share(&self, units: u64) -> Share {
        let cell = self.cell.read();
        let rule = cell.rule();
        let interval_ns = rule.emission_interval_ns();
        Share {
            debt_ns: units
                .saturating_mul(interval_ns)
                .min(cell.debt(self.timeline.now())),
            interval_ns,
            longest_ns: rule.longest_debt_ns(),
        }
    }

    /// Stops following the fleet total if all use is available again. Returns whether there is use that is not.
    pub fn unfollow_if_unused(&self) -> bool {
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
