//! What one process tells the others of its use of a limit, and what it holds back.

use std::sync::atomic::Ordering;

use governor::clock::Clock;

use super::{GcraCell, Limiter};
use crate::model::LimitCost;

/// A process that is alone with a limit holds back its use while this part of the limit is not used.
const FRACTION: u64 = 10;

/// It tells what it uses at least this often: the row that says who uses the limit is kept for a day.
const ALONE_NS: u64 = 3_600_000_000_000;

impl<C: Clock> Limiter<C> {
    /// Takes what was charged and is to be told to the other processes now; `None` if that is nothing. With `all` nothing is
    /// held back.
    pub(in crate::rate_limit) fn take_unshared(&self, all: bool) -> Option<LimitCost> {
        let cell = self.cell.read();
        let cost = self.unshared.load(Ordering::Relaxed);
        if cost <= 0 {
            self.forget_credit(&cell, -cost);
            return None;
        }
        if !all && self.is_alone() && self.is_far(&cell) {
            self.forget_available(&cell, cost);
            return None;
        }
        self.unshared.fetch_sub(cost, Ordering::Relaxed);
        Some(LimitCost {
            cost,
            generation: cell.rule().generation,
        })
    }

    /// Of what is held back, others will need to know only what is not available again: they would charge the rest as if it had
    /// just been used.
    fn forget_available(&self, cell: &GcraCell, cost: i64) {
        let used = self.debt(cell).div_ceil(cell.rule().emission_interval_ns());
        let used = i64::try_from(used).unwrap_or(i64::MAX);
        self.unshared
            .fetch_sub((cost - used).max(0), Ordering::Relaxed);
    }

    /// Others still charge what this process was given back and what they know of. It stands for later use for as long as it has not
    /// become available there by itself.
    fn forget_credit(&self, cell: &GcraCell, credit: i64) {
        if credit > 0 {
            let kept = cell.not_available(credit, self.timeline.now());
            self.unshared.fetch_add(credit - kept, Ordering::Relaxed);
        }
    }

    /// Whether less than the fraction of the limit is used.
    fn is_far(&self, cell: &GcraCell) -> bool {
        self.debt(cell).saturating_mul(FRACTION) < cell.rule().window_ns()
    }

    /// Whether something was charged that others have yet to be told.
    pub(in crate::rate_limit) fn has_unshared(&self) -> bool {
        self.unshared.load(Ordering::Relaxed) > 0
    }

    /// Whether no other process uses the limit, as far as this one was told within the hour.
    pub(in crate::rate_limit) fn is_alone(&self) -> bool {
        let at = self.alone_at.load(Ordering::Relaxed);
        at > 0 && self.timeline.now().saturating_sub(at) < ALONE_NS
    }

    /// Notes whether this process was alone with the limit when it told its use.
    pub(in crate::rate_limit) fn note_told(&self, is_alone: bool) {
        let at = if is_alone {
            self.timeline.now().max(1)
        } else {
            0
        };
        self.alone_at.store(at, Ordering::Relaxed);
    }

    /// Notes that others may use the limit, none of which has told any use before `since`.
    pub(in crate::rate_limit) fn end_alone(&self, since: u64) {
        if self.alone_at.swap(0, Ordering::Relaxed) == 0 {
            return;
        }
        let mut followed = self.followed.lock();
        if let Some(followed) = followed.as_mut() {
            followed.at = followed.at.max(since);
        }
    }

    fn debt(&self, cell: &GcraCell) -> u64 {
        cell.debt(self.timeline.now())
    }
}
