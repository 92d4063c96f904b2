//! The limiter of one key, shared by whoever checks it.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use governor::clock::{Clock, MonotonicClock, Reference};

use super::account::Account;
use super::{Decision, Rule, rule};
use crate::lock::{locked, read, write};

/// Nanoseconds since the start, by a clock that never goes back.
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

/// What all processes together have used of a key, as the database keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Of the rule under which it was used.
    pub epoch: i32,
    /// Ever rising within an epoch.
    pub total: u64,
    /// In how long all of it has returned, for who has not followed the total; zero where that is not known.
    pub full_in: Duration,
}

/// The limiter of one key.
///
/// Checks run side by side under the read lock and settle with a compare-and-swap; only a change of
/// the rule takes the write lock.
pub struct Limiter<C: Clock = MonotonicClock> {
    account: RwLock<Account>,
    /// How far the total of all processes is accounted for; `None`: not followed.
    settled: Mutex<Option<Settled>>,
    refusals: Mutex<Refusals>,
    timeline: Arc<Timeline<C>>,
}

#[derive(Clone, Copy)]
struct Settled {
    epoch: i32,
    total: u64,
    at: u64,
}

#[derive(Default)]
struct Refusals {
    count: u32,
    last_at: u64,
}

impl<C: Clock> Limiter<C> {
    pub(super) fn new(rule: Rule, timeline: Arc<Timeline<C>>) -> Self {
        Self {
            account: RwLock::new(Account::new(rule)),
            settled: Mutex::default(),
            refusals: Mutex::default(),
            timeline,
        }
    }

    /// Charges a request that counts as `cost`, if it is within the limit.
    ///
    /// When the rule is another one than last time, what was used is carried over, or forgiven by a later epoch.
    pub fn check(&self, rule: Rule, cost: NonZeroU32) -> Decision {
        let account = read(&self.account);
        if account.rule() == rule {
            return account.charge(cost, || self.timeline.now());
        }
        drop(account);
        let mut account = write(&self.account);
        account.adopt(rule, self.timeline.now());
        account.charge(cost, || self.timeline.now())
    }

    pub(super) fn window(&self) -> Duration {
        read(&self.account).rule().window
    }

    /// Counts a refusal; whether it is one of so many, with less than the rule's window between each and the next.
    /// Then counting begins anew.
    pub fn is_refused_again(&self, rule: Rule, times: u32) -> bool {
        let now = self.timeline.now();
        let mut refusals = locked(&self.refusals);
        if now.saturating_sub(refusals.last_at) > rule.full_ns() {
            refusals.count = 0;
        }
        *refusals = Refusals {
            count: refusals.count + 1,
            last_at: now,
        };
        let reached = refusals.count >= times;
        if reached {
            refusals.count = 0;
        }
        reached
    }

    /// Charges what other processes have used, now that all have spent so much and `own` of it was this one's since
    /// the last time.
    pub fn settle(&self, spent: Spent, own: u64) {
        let mut settled = locked(&self.settled);
        self.forgive_before(spent.epoch);
        let now = self.timeline.now();
        let account = read(&self.account);
        if spent.epoch < account.rule().epoch {
            // What was forgiven is no debt.
            return;
        }
        if settled.is_some_and(|known| known.epoch == spent.epoch && known.total > spent.total) {
            // Read before what is known already.
            return;
        }
        let before = settled.replace(Settled {
            epoch: spent.epoch,
            total: spent.total,
            at: now,
        });
        match before {
            Some(before) => {
                // With an epoch the sum begins anew.
                let known = if before.epoch == spent.epoch {
                    before.total
                } else {
                    0
                };
                let others = spent.total.saturating_sub(known).saturating_sub(own);
                account.charge_elsewhere(others, before.at, now);
            }
            None => account.charge_debt(rule::saturating(spent.full_in.as_nanos()), now),
        }
    }

    fn forgive_before(&self, epoch: i32) {
        if read(&self.account).rule().epoch < epoch {
            let mut account = write(&self.account);
            let rule = Rule {
                epoch,
                ..account.rule()
            };
            account.adopt(rule, self.timeline.now());
        }
    }

    /// In how long so much has returned, after all that was used before.
    pub fn returns_in(&self, units: u64) -> Duration {
        let period = read(&self.account).rule().period_ns();
        Duration::from_nanos(units.saturating_mul(period))
    }

    /// Whether something of what was used has not returned; else the total of all is no longer followed.
    pub(super) fn is_used(&self) -> bool {
        let mut settled = locked(&self.settled);
        // The account first: what is written in it is never later than the clock read after it.
        let account = read(&self.account);
        let now = self.timeline.now();
        if account.is_full(now) {
            *settled = None;
            return false;
        }
        true
    }
}
