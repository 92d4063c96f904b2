//! The wait for units that other processes hold. The database notifies these, and they give back what they do not spend.

use std::time::Duration;

use crate::model::Moment;

/// How long units that were not given back are not waited for: another process may have had no time.
const FORGOTTEN: Duration = Duration::from_secs(30);
/// How long the process waits before it asks again.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_millis(100);

#[derive(Default)]
pub(super) struct Recall {
    /// Since when somebody waits for the units of others.
    since: Option<Moment>,
    /// Those that nobody gave back when they were last waited for: a process that is gone had leased them.
    pub(super) unreturned: i64,
    /// When that was.
    given_up_at: Option<Moment>,
    /// Whether another process needs what this one does not spend.
    pub(super) is_asked: bool,
}

impl Recall {
    /// Notes how many units others hold. After `patience` those that are left are not waited for any more.
    pub(super) fn note(&mut self, withheld: i64, patience: Duration, now: Moment) {
        let is_over = self.since.is_some_and(|since| now.since(since) >= patience);
        if is_over {
            self.unreturned = withheld;
            self.given_up_at = Some(now);
        } else if self
            .given_up_at
            .is_some_and(|at| now.since(at) >= FORGOTTEN)
        {
            self.unreturned = 0;
            self.given_up_at = None;
        } else {
            self.unreturned = self.unreturned.min(withheld);
        }
    }

    /// Whether others may give back as many.
    pub(super) fn may_bring(&self, missing: i64, withheld: i64) -> bool {
        missing <= withheld - self.unreturned
    }

    /// The time until the process asks again.
    pub(super) fn pause(&mut self, now: Moment) -> Duration {
        let since = *self.since.get_or_insert(now);
        now.since(since).clamp(PAUSE_MIN, PAUSE_MAX)
    }

    /// Nobody waits for them any more.
    pub(super) fn end(&mut self) {
        self.since = None;
    }
}
