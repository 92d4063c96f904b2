//! Entries on their way to the audit log, within bounds.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::MutexGuard;

use super::attempts::{Attempt, AttemptGroups};
use crate::events::Event;
use crate::lock::locked;
use crate::model::Timestamp;

/// Entries that wait to be written, above all in an outage; of more, the newest are dropped and counted.
const WAITING_MAX: usize = 10_000;
/// Entries a statement.
const BATCH_MAX: usize = 500;

/// One event that waits to be written, or many alike.
#[derive(Debug, Clone)]
pub struct QueuedEntry {
    pub id: String,
    pub at: Timestamp,
    pub count: u64,
    pub event: Event,
}

#[derive(Default)]
pub struct AuditQueue {
    attempts: Mutex<AttemptGroups>,
    waiting: Mutex<VecDeque<QueuedEntry>>,
    dropped: AtomicU64,
    /// One writer at a time.
    writer: tokio::sync::Mutex<()>,
}

impl AuditQueue {
    /// Counts a refused attempt. Attempts alike become one entry with the next flush.
    pub fn refuse(&self, attempt: &Attempt<'_>, now: Timestamp) {
        locked(&self.attempts).count(attempt, now);
    }

    /// The attempts that were refused since the last time, with their counts, oldest first.
    pub fn take_refused(&self) -> Vec<(Event, u64, Timestamp)> {
        locked(&self.attempts).take()
    }

    /// Attempts and changes that could not be kept.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Counts what could not be kept.
    pub fn drop_entry(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub fn is_empty(&self) -> bool {
        locked(&self.attempts).is_empty() && locked(&self.waiting).is_empty()
    }

    /// Counts what has not been written as dropped, when nobody will write it any more.
    pub fn give_up(&self) -> u64 {
        let refused: u64 = self.take_refused().iter().map(|(_, count, _)| count).sum();
        let waiting: u64 = locked(&self.waiting)
            .drain(..)
            .map(|entry| entry.count)
            .sum();
        let lost = refused + waiting;
        self.drop_entry(lost);
        lost
    }

    pub fn push(&self, entry: QueuedEntry) {
        let mut waiting = locked(&self.waiting);
        if waiting.len() < WAITING_MAX {
            waiting.push_back(entry);
        } else {
            self.drop_entry(entry.count);
        }
    }

    /// Begins to write; held while it is done.
    pub async fn begin_writing(&self) -> MutexGuard<'_, ()> {
        self.writer.lock().await
    }

    /// The oldest entries; they stay until they are written.
    pub fn batch(&self) -> Vec<QueuedEntry> {
        locked(&self.waiting)
            .iter()
            .take(BATCH_MAX)
            .cloned()
            .collect()
    }

    pub fn written(&self, entries: usize) {
        locked(&self.waiting).drain(..entries);
    }
}

#[cfg(test)]
mod tests;
