//! The limiter of one key, shared by whoever checks it.

use std::num::NonZeroU32;
use std::sync::{Arc, RwLock};

use governor::clock::{Clock, MonotonicClock, Reference};

use super::account::Account;
use super::{Decision, Rule, read, write};

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

/// The limiter of one key.
///
/// Checks run side by side under the read lock and settle with a compare-and-swap; only a change of
/// the rule, or forgiveness, takes the write lock.
pub struct Limiter<C: Clock = MonotonicClock> {
    account: RwLock<Account>,
    timeline: Arc<Timeline<C>>,
}

impl<C: Clock> Limiter<C> {
    pub(super) fn new(rule: Rule, timeline: Arc<Timeline<C>>) -> Self {
        Self {
            account: RwLock::new(Account::new(rule)),
            timeline,
        }
    }

    /// Charges a request that counts as `cost`, if it is within the limit.
    ///
    /// When the rule is another one than last time, what was used is carried over.
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

    /// Forgets what was used.
    pub fn forgive(&self) {
        write(&self.account).forgive();
    }

    pub(super) fn is_full(&self) -> bool {
        // The account first: what is written in it is never later than the clock read after it.
        let account = read(&self.account);
        account.is_full(self.timeline.now())
    }
}
