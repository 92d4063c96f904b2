//! The lease of one quota, shared by everything that charges it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::futures::Notified;
use tokio::sync::{Notify, oneshot};

use super::answer::QuotaAnswer;
use super::part::Answered;
use super::state::{Begun, State};
use super::taken::Taken;
use super::terms::{LeaseAnswer, LeaseRequest, Purpose, QuotaKey};
use super::waiter::Waiter;
use crate::error::Error;
use crate::model::Moment;

/// The time without use after which what was spent is forgotten. The database keeps it in mind for a day.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

/// The units of a quota that this process may spend.
pub struct Lease {
    pub key: QuotaKey,
    state: Mutex<State>,
    /// Notifies when a statement has ended.
    ended: Notify,
}

impl Lease {
    pub(super) fn new(key: QuotaKey) -> Self {
        Self {
            key,
            state: Mutex::default(),
            ended: Notify::new(),
        }
    }

    /// Charges a request. The second answer says whether more should be leased soon.
    pub fn charge(&self, cost: u32, now: Moment) -> (QuotaAnswer, bool) {
        let cost = i64::from(cost);
        let mut state = self.state.lock();
        let available = state.available(now);
        if available < cost {
            return (state.charged_without(cost, available, now), false);
        }
        let taken = state.take(cost, now);
        let is_low = state.is_low(available - cost, now);
        (QuotaAnswer::Charged(taken), is_low)
    }

    /// Decides about the same request without charging it. What other processes have not spent counts, too.
    pub fn peek(&self, cost: u32, now: Moment) -> QuotaAnswer {
        let cost = i64::from(cost);
        let state = self.state.lock();
        let available = state.available(now);
        let is_there = |answered: &Answered| answered.has_anywhere(cost - available);
        if available >= cost || state.answered(now).is_some_and(is_there) {
            return QuotaAnswer::Charged(Taken::default());
        }
        state.without(cost, available, now, Answered::has_anywhere)
    }

    /// Whether the database must be asked before a request can be charged.
    pub fn needs(&self, cost: u32, now: Moment) -> bool {
        let cost = i64::from(cost);
        let state = self.state.lock();
        let available = state.available(now);
        available < cost && state.charged_without(cost, available, now) == QuotaAnswer::Unknown
    }

    /// Gives back what was charged. A balance that has ended since gets nothing.
    pub fn give_back(&self, taken: &Taken) {
        if taken.units() == 0 {
            return;
        }
        let mut state = self.state.lock();
        // A statement that began meanwhile has told more than was spent.
        state.is_unreported = true;
        for (balance, units) in taken.iter() {
            let part = state.parts.iter_mut().find(|part| part.balance == balance);
            if let Some(part) = part {
                part.spent = (part.spent - units).max(0);
            }
        }
    }

    /// Charges as many units as this process has, for a request that was answered already.
    pub fn charge_up_to(&self, units: i64, now: Moment) -> Taken {
        let mut state = self.state.lock();
        let units = units.min(state.available(now));
        state.take(units, now)
    }

    /// Gives back some of the units that were charged a while ago, the last ones first. A balance that has ended since gets
    /// nothing.
    pub fn refund(&self, taken: &Taken, units: i64, now: Moment) {
        let (mut back, mut left) = (Taken::default(), units);
        let mut state = self.state.lock();
        if units > 0 && state.is_short() {
            // The amount may have been lowered since: then the database takes these units back.
            state.doubt();
        }
        for (balance, units) in taken.iter().rev() {
            let units = units.min(left);
            if state.has_balance(balance, now) {
                back.add(balance, units);
            }
            left -= units;
        }
        drop(state);
        self.give_back(&back);
    }

    /// Whether one of the balances that were charged has not ended.
    pub fn is_running(&self, taken: &Taken, now: Moment) -> bool {
        let state = self.state.lock();
        taken
            .iter()
            .any(|(balance, _)| state.has_balance(balance, now))
    }

    /// How many of these units the database may have for this process, as far as is known.
    pub fn obtainable(&self, units: i64, now: Moment) -> i64 {
        let state = self.state.lock();
        let available = state.available(now);
        match state.charged_without(units, available, now) {
            QuotaAnswer::Exceeded { .. } => {
                let free = state.answered(now).map_or(0, |answered| answered.free);
                units.min(available.saturating_add(free))
            }
            _ => units,
        }
    }

    /// Notes that the quota may have changed.
    pub(super) fn note_change(&self) {
        let mut state = self.state.lock();
        state.doubt();
        state.answered = None;
    }

    /// Waits for an answer of the database to a statement that is yet to begin.
    pub(super) fn wait(&self, cost: u32) -> oneshot::Receiver<Result<(), Error>> {
        let (answered, answer) = oneshot::channel();
        let cost = i64::from(cost);
        self.state.lock().waiters.push(Waiter { cost, answered });
        answer
    }

    /// Notes that the lease is in the queue. Returns whether it was not.
    pub(super) fn enqueue(&self) -> bool {
        let mut state = self.state.lock();
        let is_new = !state.is_queued;
        state.is_queued = true;
        is_new
    }

    /// Begins to ask the database; `None` while a statement is under way.
    pub(super) fn begin(&self, purpose: Purpose, now: Moment) -> Option<(LeaseRequest, Begun)> {
        self.state.lock().begin(purpose, now)
    }

    /// Returns once the statement that is under way has ended, if it has not already.
    pub(super) fn ended(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// Takes the answer, and the fault that those who wait are told instead. Those for whom others must give units back wait
    /// for as long as `patience`. Returns the time until more is to be asked for; `None` if there is nothing.
    pub(super) fn end(
        &self,
        begun: Begun,
        answer: Result<LeaseAnswer, Error>,
        fault: Option<Error>,
        patience: Duration,
        now: Moment,
    ) -> Option<Duration> {
        let next = self.state.lock().end(begun, answer, fault, patience, now);
        self.ended.notify_waiters();
        next
    }

    /// Notes that another process needs units. Returns whether this one has some to give back, or something to tell.
    pub(super) fn recall(&self, now: Moment) -> bool {
        let mut state = self.state.lock();
        state.recall.is_asked = state.unspent(now) > 0 || state.is_unreported;
        state.recall.is_asked
    }

    /// Forgets that.
    pub fn end_recall(&self) {
        self.state.lock().recall.is_asked = false;
    }

    /// Leaves the statement that is under way to a later one. Returns whether somebody waits for it.
    pub(super) fn postpone(&self) -> bool {
        let is_awaited = self.state.lock().postpone();
        self.ended.notify_waiters();
        is_awaited
    }

    /// Whether the database should be told something now, and what for.
    pub(super) fn is_due(&self, idle: Duration, now: Moment) -> Option<Purpose> {
        let state = self.state.lock();
        if state.is_asking() {
            return None;
        }
        let has_unspent = state.unspent(now) > 0;
        let is_idle = state.used_at.is_none_or(|at| now.since(at) >= idle);
        if is_idle && has_unspent {
            Some(Purpose::Return)
        } else if state.is_unreported || state.is_doubtful && has_unspent {
            Some(Purpose::Report)
        } else {
            // Those who wait for a statement that was given up.
            (!state.waiters.is_empty()).then_some(Purpose::Lease)
        }
    }

    /// Forgets what was spent, once the database knows of it and nothing was for long.
    pub(super) fn forget_if_unused(&self, now: Moment) {
        let mut state = self.state.lock();
        let is_old = state.used_at.is_none_or(|at| now.since(at) >= FORGOTTEN);
        if is_old && state.is_idle(now) {
            state.parts.clear();
        }
    }

    /// Whether it has nothing that the database would have to be told of.
    pub(super) fn is_empty(&self, now: Moment) -> bool {
        let state = self.state.lock();
        state.parts.is_empty() && state.is_idle(now)
    }

    /// Whether it holds units, or something was spent that the database does not know of.
    pub(super) fn is_held(&self, now: Moment) -> bool {
        self.state.lock().is_held(now)
    }

    /// The units that are leased and not spent.
    pub(super) fn unspent(&self, now: Moment) -> i64 {
        self.state.lock().unspent(now)
    }
}
