//! What a process has of one balance of a quota, and what the database last said of the quota.

use std::time::Duration;

use super::terms::SpentPart;
use crate::model::Moment;

/// The longest time after which another process gives back what it does not use.
const RETURNED_WITHIN_MS: u64 = 60_000;

/// Units of one balance.
pub(super) struct Part {
    pub(super) balance: i64,
    pub(super) leased: i64,
    pub(super) spent: i64,
    pub(super) end: End,
}

/// When something ends, by both clocks of this process; `None` if it never does.
#[derive(Clone, Copy)]
pub(super) struct End(Option<Moment>);

impl End {
    pub(super) fn after(from: Moment, time: Option<Duration>) -> Self {
        let end = |time| {
            Some(Moment {
                instant: from.instant.checked_add(time)?,
                time: from.time.plus(time),
            })
        };
        Self(time.and_then(end))
    }

    /// The time until then, by the clock that says less.
    pub(super) fn left(self, now: Moment) -> Option<Duration> {
        let end = self.0?;
        let here = end.instant.saturating_duration_since(now.instant);
        Some(here.min(Duration::from_millis(end.time.millis_after(now.time))))
    }

    pub(super) fn has_passed(self, now: Moment) -> bool {
        self.0
            .is_some_and(|end| end.instant <= now.instant || end.time <= now.time)
    }
}

/// What the database last answered.
pub(super) struct Answered {
    pub(super) amount: i64,
    pub(super) free: i64,
    pub(super) withheld: i64,
    pub(super) reset: End,
    /// Until when this is believed.
    pub(super) expires: End,
}

impl Part {
    /// The units that may be spent now. Those of a balance that has ended are kept in mind until the database has been told
    /// what was spent of it.
    pub(super) fn available(&self, now: Moment) -> i64 {
        if self.end.has_passed(now) {
            0
        } else {
            (self.leased - self.spent).max(0)
        }
    }

    pub(super) fn spent(&self) -> SpentPart {
        SpentPart {
            balance: self.balance,
            spent: self.spent,
        }
    }
}

impl Answered {
    /// Whether there are as many, with what other processes hold.
    pub(super) fn has_anywhere(&self, missing: i64) -> bool {
        self.free + self.withheld >= missing
    }

    pub(super) fn retry_after_ms(&self, cost: i64, now: Moment) -> Option<u64> {
        let reset = self.reset.left(now).map(millis);
        if self.withheld > 0 {
            // Another process may give back enough before.
            return Some(reset.map_or(RETURNED_WITHIN_MS, |reset| reset.min(RETURNED_WITHIN_MS)));
        }
        reset.filter(|_| cost <= self.amount)
    }
}

fn millis(time: Duration) -> u64 {
    let whole = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    whole.saturating_add(u64::from(!time.subsec_nanos().is_multiple_of(1_000_000)))
}
