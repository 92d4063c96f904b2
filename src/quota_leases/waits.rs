//! How long those wait who wait for units.

use std::time::Duration;

use super::state::State;
use super::waiter::Waiter;
use crate::model::Moment;

impl State {
    /// Whether the next statement may lease enough for such a cost.
    pub(super) fn may_get(&self, cost: i64, now: Moment) -> bool {
        let Some(answered) = &self.answered else {
            return false;
        };
        let is_enough = cost <= self.unspent(now).saturating_add(answered.free);
        is_enough && answered.free > 0 || self.waits_for_others(cost, now)
    }

    /// Whether such a cost can only be charged once others have given units back, and they may.
    fn waits_for_others(&self, cost: i64, now: Moment) -> bool {
        self.answered.as_ref().is_some_and(|answered| {
            let missing = cost - self.unspent(now) - answered.free;
            missing > 0 && self.recall.may_bring(missing, answered.withheld)
        })
    }

    /// The time until more is to be asked for. Others need some to give units back.
    pub(super) fn next(&mut self, now: Moment) -> Option<Duration> {
        let waits_for_others = |waiter: &&Waiter| self.waits_for_others(waiter.cost, now);
        let waiting_for_others = self.waiters.iter().filter(waits_for_others).count();
        if waiting_for_others == 0 {
            self.recall.end();
            return (self.recall.is_asked || !self.waiters.is_empty()).then_some(Duration::ZERO);
        }
        let pause = self.recall.pause(now);
        let all_wait = waiting_for_others == self.waiters.len();
        Some(if all_wait { pause } else { Duration::ZERO })
    }
}
