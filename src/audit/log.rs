//! Refused attempts, which are counted first, and the queue that all entries pass.

use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use super::attempts::{Attempt, AttemptGroups};
use super::queue::{AuditBatch, AuditQueue, QueuedEntry};
use crate::events::Event;
use crate::model::Timestamp;

#[derive(Default)]
pub struct AuditState {
    attempts: Mutex<AttemptGroups>,
    queue: AuditQueue,
    /// One writer at a time.
    writer: tokio::sync::Mutex<()>,
}

impl AuditState {
    /// Counts a refused attempt. Attempts alike become one entry with the next flush.
    pub fn refuse(&self, attempt: &Attempt<'_>, now: Timestamp) {
        self.attempts.lock().count(attempt, now);
    }

    /// The attempts that were refused since the last time, with their counts, oldest first.
    pub fn take_refused(&self) -> Vec<(Event, u64, Timestamp)> {
        self.attempts.lock().take()
    }

    pub fn push(&self, entry: QueuedEntry) {
        self.queue.push(entry);
    }

    /// Counts what could not be kept.
    pub fn count_dropped(&self, count: u64) {
        self.queue.count_dropped(count);
    }

    /// Attempts and changes that could not be kept.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    pub fn is_empty(&self) -> bool {
        self.attempts.lock().is_empty() && self.queue.is_empty()
    }

    /// Begins to write; held while it is done.
    pub async fn begin_writing(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// The oldest entries; `None` if nothing waits.
    pub fn take_batch(&self) -> Option<AuditBatch<'_>> {
        self.queue.take_batch()
    }

    /// Counts what has not been written as dropped, when nobody will write it any more; answers how much that was.
    pub fn give_up(&self) -> u64 {
        let refused = self.take_refused().iter().map(|(_, count, _)| count).sum();
        self.queue.count_dropped(refused);
        refused + self.queue.give_up()
    }
}
