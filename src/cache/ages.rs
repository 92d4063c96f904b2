//! Marks in the sequence of changes, by which entries of a certain age are known.

use std::collections::VecDeque;
use std::time::Duration;

/// Marks per maximum age.
const STEPS: u32 = 60;
/// The longest time between two calls, in normal operation.
const ROUND: Duration = Duration::from_secs(1);

/// Marks, oldest first. Whatever was read between two marks is no older than the first of them.
#[derive(Debug, Default)]
pub(super) struct Ages {
    /// The time of the mark before, and the mark.
    marks: VecDeque<(Duration, u64)>,
    marked_at: Duration,
}

impl Ages {
    /// Sets a mark if one is due. Returns the latest mark before which something may reach the maximum age until the next
    /// call.
    pub(super) fn advance(
        &mut self,
        now: Duration,
        max_age: Duration,
        mark: impl FnOnce() -> u64,
    ) -> Option<u64> {
        if now.saturating_sub(self.marked_at) >= max_age / STEPS {
            self.marks.push_back((self.marked_at, mark()));
            self.marked_at = now;
        }
        let mut expired = None;
        while let Some((since, mark)) = self.marks.front().copied()
            && now.saturating_sub(since) + ROUND >= max_age
        {
            self.marks.pop_front();
            expired = Some(mark);
        }
        expired
    }
}
