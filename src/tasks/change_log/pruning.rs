//! Prunes the change log. Each process does it, by its own clock: a reader compares its position with how far the log was
//! pruned, so that a clock that is wrong costs reads and hides no change.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::store::Store;

/// How long changes are kept. A change is pruned once every snapshot taken in this period could see it.
const KEPT: Duration = Duration::from_secs(600);
const INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Pruning {
    /// The oldest open transaction, once per interval, oldest first.
    horizons: VecDeque<(Instant, i64)>,
    /// The changes of transactions before this one are to be pruned.
    due: Option<i64>,
}

impl Pruning {
    /// Notes the oldest transaction that was open at this time.
    pub(super) fn note(&mut self, now: Instant, oldest_open: i64) {
        let noted_at = self.horizons.back().map(|(at, _)| *at);
        if noted_at.is_some_and(|at| now.duration_since(at) < INTERVAL) {
            return;
        }
        self.horizons.push_back((now, oldest_open));
        while let Some((at, horizon)) = self.horizons.front().copied()
            && now.duration_since(at) >= KEPT
        {
            self.horizons.pop_front();
            self.due = Some(horizon);
        }
    }

    /// Prunes one part of what is due, so that the log is read again in between.
    pub(super) async fn prune(&mut self, store: &Store) -> Result<(), Error> {
        if let Some(before) = self.due
            && !store.prune_changes(before).await?
        {
            self.due = None;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_pruned_when_every_snapshot_of_ten_minutes_could_see_it() {
        let mut pruning = Pruning::default();
        let start = Instant::now();
        for second in 0_u32..600 {
            let at = start + Duration::from_secs(second.into());
            pruning.note(at, 100 + i64::from(second));
            assert_eq!(pruning.due, None);
        }
        pruning.note(start + KEPT, 9_999);
        assert_eq!(pruning.due, Some(100));
        assert!(pruning.horizons.len() <= 11);
    }
}
