//! The state of a lease.

use std::time::Duration;

use smallvec::SmallVec;

use super::ahead;
use super::answer::QuotaAnswer;
use super::part::{Answered, End, Part};
use super::recall::Recall;
use super::taken::Taken;
use super::terms::{LeaseAnswer, LeaseRequest, Purpose};
use super::waiter::Waiter;
use crate::error::Error;
use crate::model::Moment;

/// How long nothing else may be asked for again of a used-up quota: others may settle what they have charged.
const ASK_AGAIN: Duration = Duration::from_secs(5);
const ASK_OTHERS_AGAIN: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct State {
    pub(super) parts: SmallVec<[Part; 1]>,
    pub(super) answered: Option<Answered>,
    /// Whether the units may be gone: given back, or the quota may have changed. Then they are not spent before the database
    /// has answered.
    pub(super) is_doubtful: bool,
    /// Incremented by each change that makes them doubtful.
    doubts: u64,
    /// Whether the lease is in the queue of those to ask for.
    pub(super) is_queued: bool,
    pub(super) waiters: Vec<Waiter>,
    /// Those whom the statement under way answers; `None` while none is.
    asking: Option<Vec<Waiter>>,
    /// The unspent units after the last answer.
    had: i64,
    /// What was spent since the process last asked for more, and when that was.
    spent_since: i64,
    asked_at: Option<Moment>,
    pub(super) used_at: Option<Moment>,
    /// Whether something was spent that the database does not know of.
    pub(super) is_unreported: bool,
    pub(super) recall: Recall,
}

/// What the process knew when a statement began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    /// What ends so much later by the answer has ended by then.
    pub(super) at: Moment,
    doubts: u64,
}

impl State {
    pub(super) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    pub(super) fn unspent(&self, now: Moment) -> i64 {
        self.parts.iter().map(|part| part.available(now)).sum()
    }

    /// The units that may be spent now.
    pub(super) fn available(&self, now: Moment) -> i64 {
        if self.is_doubtful {
            0
        } else {
            self.unspent(now)
        }
    }

    pub(super) fn take(&mut self, cost: i64, now: Moment) -> Taken {
        let (mut taken, mut left) = (Taken::default(), cost);
        for part in &mut self.parts {
            let units = left.min(part.available(now));
            if units > 0 {
                part.spent += units;
                left -= units;
                taken.add(part.balance, units);
            }
        }
        self.spent_since = self.spent_since.saturating_add(cost);
        self.used_at = Some(now);
        self.is_unreported = true;
        taken
    }

    /// Whether nothing was free when the database last answered, as far as that is known.
    pub(super) fn is_short(&self) -> bool {
        let answered = self.answered.as_ref();
        answered.is_none_or(|answered| answered.free == 0)
    }

    /// Whether the process has units of a balance that has not ended, or had some.
    pub(super) fn has_balance(&self, balance: i64, now: Moment) -> bool {
        self.parts
            .iter()
            .any(|part| part.balance == balance && !part.end.has_passed(now))
    }

    /// Whether it holds units, or something was spent that the database does not know of.
    pub(super) fn is_held(&self, now: Moment) -> bool {
        self.unspent(now) > 0 || self.is_unreported || self.is_asking()
    }

    /// Whether nothing is held and nobody waits.
    pub(super) fn is_idle(&self, now: Moment) -> bool {
        !self.is_held(now) && self.waiters.is_empty()
    }

    /// Whether more should be leased before the rest is spent.
    pub(super) fn is_low(&self, available: i64, now: Moment) -> bool {
        let is_asked = self.is_asking() || self.is_queued;
        let has_more = || self.answered(now).is_none_or(|answered| answered.free > 0);
        ahead::is_low(self.had, available) && !is_asked && has_more()
    }

    pub(super) fn answered(&self, now: Moment) -> Option<&Answered> {
        let answered = self.answered.as_ref()?;
        (!self.is_doubtful && !answered.expires.has_passed(now)).then_some(answered)
    }

    /// Whether a request that costs more than is available here must wait for an answer of the database, or what it is told.
    pub(super) fn charged_without(&self, cost: i64, available: i64, now: Moment) -> QuotaAnswer {
        let may_come = |answered: &Answered, missing| {
            answered.free >= missing || self.recall.may_bring(missing, answered.withheld)
        };
        self.without(cost, available, now, may_come)
    }

    /// The answer to a request that costs more than is available here.
    pub(super) fn without(
        &self,
        cost: i64,
        available: i64,
        now: Moment,
        has: impl Fn(&Answered, i64) -> bool,
    ) -> QuotaAnswer {
        match self.answered(now) {
            Some(answered) if !has(answered, cost - available) => QuotaAnswer::Exceeded {
                retry_after_ms: answered.retry_after_ms(cost, now),
            },
            _ => QuotaAnswer::Unknown,
        }
    }

    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
        self.doubts += 1;
    }

    /// What this process will probably spend in the next seconds.
    fn expected(&self, waiting: i64, now: Moment) -> i64 {
        self.asked_at.map_or(waiting, |asked_at| {
            ahead::expected(self.spent_since, now.since(asked_at), waiting)
        })
    }

    /// Begins to ask the database; `None` while a statement is under way.
    pub(super) fn begin(&mut self, purpose: Purpose, now: Moment) -> Option<(LeaseRequest, Begun)> {
        self.is_queued = false;
        if self.is_asking() {
            return None;
        }
        let (unspent, costs) = (
            self.unspent(now),
            self.waiters.iter().map(|waiter| waiter.cost),
        );
        let (waiting, needed) = (costs.clone().sum(), costs.max().unwrap_or(0));
        let least = self.waiters.iter().map(|waiter| waiter.cost).min();
        let is_recalled = std::mem::take(&mut self.recall.is_asked);
        let purpose = if is_recalled {
            Purpose::Return
        } else {
            purpose
        };
        let wanted = match purpose {
            // Those who wait here cannot use them either, and may be next.
            Purpose::Return if least.is_none_or(|least| is_recalled && least > unspent) => {
                if unspent > 0 {
                    // Nobody may spend what is being given back.
                    self.doubt();
                }
                0
            }
            Purpose::Report => unspent.max(waiting),
            Purpose::Lease | Purpose::Return => {
                unspent.max(waiting).max(self.expected(waiting, now))
            }
        };
        if purpose == Purpose::Lease {
            self.spent_since = 0;
            self.asked_at = Some(now);
        }
        self.is_unreported = false;
        self.asking = Some(std::mem::take(&mut self.waiters));
        let request = LeaseRequest {
            held: self.parts.iter().map(Part::spent).collect(),
            wanted,
            needed,
            unreturned: self.recall.unreturned,
            is_still: self.is_doubtful,
        };
        let doubts = self.doubts;
        Some((request, Begun { at: now, doubts }))
    }

    /// Takes the answer, and tells those who wait, if it is good for them. Returns the time until more is to be asked for;
    /// `None` if there is nothing.
    pub(super) fn end(
        &mut self,
        begun: Begun,
        answer: Result<LeaseAnswer, Error>,
        fault: Option<Error>,
        patience: Duration,
        now: Moment,
    ) -> Option<Duration> {
        let asking = self.asking.take().unwrap_or_default();
        let answer = answer.inspect(|answer| self.recall.note(answer.withheld, patience, now));
        let told = match (answer.map(|answer| self.apply(begun, answer, now)), fault) {
            (Ok(()), Some(fault)) => Err(fault),
            (Err(error), _) => {
                self.is_unreported = true;
                self.recall.is_asked = false;
                Err(error)
            }
            (Ok(()), None) => Ok(()),
        };
        let mut left = if told.is_ok() { self.unspent(now) } else { 0 };
        for waiter in asking {
            if told.is_ok() && waiter.cost > left && self.may_get(waiter.cost, now) {
                // The next statement leases more: until then there is nothing to decide.
                self.waiters.push(waiter);
                continue;
            }
            left -= waiter.cost.min(left);
            // Whoever does not wait any more does not need it.
            let _ = waiter.answered.send(told.clone());
        }
        self.next(now)
    }

    /// Leaves what is asked for to a later statement. Returns whether somebody waits for it.
    pub(super) fn postpone(&mut self) -> bool {
        self.is_unreported = true;
        self.waiters.extend(self.asking.take().unwrap_or_default());
        !self.waiters.is_empty()
    }

    fn apply(&mut self, begun: Begun, answer: LeaseAnswer, now: Moment) {
        let spent_of = |parts: &[Part], balance: i64| {
            let known = parts.iter().find(|part| part.balance == balance);
            known.map(|part| part.spent)
        };
        let parts = answer.leases.into_iter().map(|leased| Part {
            balance: leased.balance,
            leased: leased.leased,
            spent: spent_of(&self.parts, leased.balance).unwrap_or(leased.spent),
            end: End::after(begun.at, leased.ends_in),
        });
        self.parts = parts.collect();
        let believed = if answer.withheld > 0 {
            ASK_OTHERS_AGAIN
        } else {
            ASK_AGAIN
        };
        let believed = answer
            .resets_in
            .map_or(believed, |reset| believed.min(reset));
        self.answered = Some(Answered {
            amount: answer.amount,
            free: answer.free,
            withheld: answer.withheld,
            reset: End::after(begun.at, answer.resets_in),
            expires: End::after(begun.at, Some(believed)),
        });
        if self.doubts == begun.doubts {
            self.is_doubtful = false;
        }
        self.had = self.unspent(now);
    }
}
