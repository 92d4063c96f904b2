//! The state of the audit log: groups of refused attempts, and the queue that all entries pass through.

use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use super::attempts::{Attempt, AttemptGroups, Claims};
use super::queue::{AuditBatch, AuditQueue, QueuedEntry};
use crate::events::Event;
use crate::model::Timestamp;

#[derive(Default)]
pub struct AuditState {
    attempts: Mutex<AttemptGroups>,
    queue: AuditQueue,
    /// Admits one writer at a time.
    writer: tokio::sync::Mutex<()>,
}

impl AuditState {
    /// Counts a refused attempt. The next flush makes one entry of each group of attempts. `claims` is called for the
    /// first attempt of a group, and must not count another.
    pub fn refuse(&self, attempt: &Attempt<'_>, claims: impl FnOnce() -> Claims, now: Timestamp) {
        self.attempts.lock().count(attempt, claims, now);
    }

    /// Takes the groups of attempts that were refused since the last call, with their counts, oldest first.
    pub fn take_refused(&self) -> Vec<(Event, u64, Timestamp)> {
        self.attempts.lock().take()
    }

    pub fn push(&self, entry: QueuedEntry) {
        self.queue.push(entry);
    }

    /// Counts attempts or changes that could not be queued.
    pub fn count_dropped(&self, count: u64) {
        self.queue.count_dropped(count);
    }

    /// The number of attempts and changes that were dropped.
    pub fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    pub fn is_empty(&self) -> bool {
        self.attempts.lock().is_empty() && self.queue.is_empty()
    }

    /// Waits until no other writer is active. Hold the guard while writing.
    pub async fn begin_writing(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// Takes the oldest entries; `None` if the queue is empty.
    pub fn take_batch(&self) -> Option<AuditBatch<'_>> {
        self.queue.take_batch()
    }

    /// Counts everything unwritten as dropped, since nothing will be written any more. Returns how much that was.
    pub fn give_up(&self) -> u64 {
        let refused = self.take_refused().iter().map(|(_, count, _)| count).sum();
        self.queue.count_dropped(refused);
        refused + self.queue.give_up()
    }
}
