//! The queue of entries to be written to the database.
//!
//! An entry is in one place at a time: in the queue, or in the batch that is being written. So nothing that happens to
//! the queue while a statement runs can affect the entries of that statement.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::events::Event;
use crate::model::Timestamp;

/// Capacity of the queue, which matters in an outage. Entries that arrive when it is full are dropped and counted.
pub(super) const ENTRIES_MAX: usize = 10_000;
/// Entries per statement.
pub(super) const BATCH_MAX: usize = 500;

/// An event that waits to be written. It stands for `count` equal ones.
#[derive(Debug, Clone)]
pub struct QueuedEntry {
    pub id: String,
    pub at: Timestamp,
    pub count: u64,
    pub event: Event,
}

#[derive(Default)]
pub(super) struct AuditQueue {
    entries: Mutex<Entries>,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Entries {
    waiting: VecDeque<QueuedEntry>,
    /// The number of entries that batches own.
    in_batches: usize,
    /// Set when nothing will be written any more: entries that are added or returned are dropped.
    given_up: bool,
}

/// The oldest entries, owned until they are written. If the batch is dropped before that, they return to the front of
/// the queue.
pub struct AuditBatch<'a> {
    queue: &'a AuditQueue,
    entries: Vec<QueuedEntry>,
}

impl AuditQueue {
    pub(super) fn push(&self, entry: QueuedEntry) {
        let mut entries = self.entries.lock();
        if entries.given_up || entries.waiting.len() + entries.in_batches >= ENTRIES_MAX {
            self.count_dropped(entry.count);
        } else {
            entries.waiting.push_back(entry);
        }
    }

    /// Takes the oldest entries; `None` if the queue is empty.
    pub(super) fn take_batch(&self) -> Option<AuditBatch<'_>> {
        let mut entries = self.entries.lock();
        let count = entries.waiting.len().min(BATCH_MAX);
        if count == 0 {
            return None;
        }
        let taken = entries.waiting.drain(..count).collect();
        entries.in_batches += count;
        Some(AuditBatch {
            queue: self,
            entries: taken,
        })
    }

    /// Drops and counts the queued entries, and returns how much that was. A batch in flight counts its own outcome.
    pub(super) fn give_up(&self) -> u64 {
        let mut entries = self.entries.lock();
        entries.given_up = true;
        let lost = entries.waiting.drain(..).map(|entry| entry.count).sum();
        self.count_dropped(lost);
        lost
    }

    pub(super) fn count_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Whether nothing is queued and no batch is in flight.
    pub(super) fn is_empty(&self) -> bool {
        let entries = self.entries.lock();
        entries.waiting.is_empty() && entries.in_batches == 0
    }

    /// Ends a batch of `count` entries and takes back those that were not written.
    fn take_back(&self, count: usize, unwritten: Vec<QueuedEntry>) {
        let mut entries = self.entries.lock();
        entries.in_batches -= count;
        if entries.given_up {
            self.count_dropped(unwritten.iter().map(|entry| entry.count).sum());
            return;
        }
        for entry in unwritten.into_iter().rev() {
            entries.waiting.push_front(entry);
        }
    }
}

impl AuditBatch<'_> {
    pub fn entries(&self) -> &[QueuedEntry] {
        &self.entries
    }

    /// Marks the entries as written.
    pub fn written(mut self) {
        let written = std::mem::take(&mut self.entries);
        self.queue.take_back(written.len(), Vec::new());
    }
}

impl Drop for AuditBatch<'_> {
    fn drop(&mut self) {
        let unwritten = std::mem::take(&mut self.entries);
        self.queue.take_back(unwritten.len(), unwritten);
    }
}

#[cfg(test)]
mod tests;
