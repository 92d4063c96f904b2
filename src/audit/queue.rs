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
/// How many of these may be about attempts with made-up credentials, so that a flood of them leaves room for all else.
pub(super) const STRANGERS_MAX: usize = ENTRIES_MAX / 2;
/// Capacity in bytes of JSON.
pub(super) const BYTES_MAX: usize = 16 * 1024 * 1024;
/// Entries per statement.
pub(super) const BATCH_MAX: usize = 500;
/// Bytes of JSON per statement; a single entry may have more.
const BATCH_BYTES_MAX: usize = BYTES_MAX / 4;

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
    /// What waits, and what batches own.
    held: Load,
    /// Set when nothing will be written any more: entries that are added or returned are dropped.
    given_up: bool,
}

/// What entries take up.
#[derive(Default, Clone, Copy)]
struct Load {
    entries: usize,
    of_strangers: usize,
    bytes: usize,
}

impl Load {
    fn of(entry: &QueuedEntry) -> Self {
        Self {
            entries: 1,
            of_strangers: usize::from(entry.event.is_of_strangers()),
            bytes: serde_json::to_vec(&entry.event).map_or(0, |json| json.len()),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            of_strangers: self.of_strangers + other.of_strangers,
            bytes: self.bytes + other.bytes,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            entries: self.entries - other.entries,
            of_strangers: self.of_strangers - other.of_strangers,
            bytes: self.bytes - other.bytes,
        }
    }

    fn fits(self) -> bool {
        self.entries <= ENTRIES_MAX && self.of_strangers <= STRANGERS_MAX && self.bytes <= BYTES_MAX
    }
}

fn load<'a>(entries: impl IntoIterator<Item = &'a QueuedEntry>) -> Load {
    let loads = entries.into_iter().map(Load::of);
    loads.fold(Load::default(), Load::plus)
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
        let held = entries.held.plus(Load::of(&entry));
        if entries.given_up || !held.fits() {
            self.count_dropped(entry.count);
        } else {
            entries.held = held;
            entries.waiting.push_back(entry);
        }
    }

    /// Takes the oldest entries; `None` if the queue is empty.
    pub(super) fn take_batch(&self) -> Option<AuditBatch<'_>> {
        let mut entries = self.entries.lock();
        let mut bytes = 0;
        let oldest = entries.waiting.iter().take(BATCH_MAX);
        let fitting = oldest.take_while(|entry| {
            bytes += Load::of(entry).bytes;
            bytes <= BATCH_BYTES_MAX
        });
        let count = fitting.count().max(1).min(entries.waiting.len());
        if count == 0 {
            return None;
        }
        let taken = entries.waiting.drain(..count).collect();
        Some(AuditBatch {
            queue: self,
            entries: taken,
        })
    }

    /// Drops and counts the queued entries, and returns how much that was. A batch in flight counts its own outcome.
    pub(super) fn give_up(&self) -> u64 {
        let mut entries = self.entries.lock();
        entries.given_up = true;
        entries.held = entries.held.minus(load(&entries.waiting));
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
        self.entries.lock().held.entries == 0
    }

    /// Ends a batch: those that were written leave the queue, and the others return to its front.
    fn end_batch(&self, written: &[QueuedEntry], unwritten: Vec<QueuedEntry>) {
        let mut entries = self.entries.lock();
        entries.held = entries.held.minus(load(written));
        if entries.given_up {
            entries.held = entries.held.minus(load(&unwritten));
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
        self.queue.end_batch(&written, Vec::new());
    }
}

impl Drop for AuditBatch<'_> {
    fn drop(&mut self) {
        let unwritten = std::mem::take(&mut self.entries);
        self.queue.end_batch(&[], unwritten);
    }
}

#[cfg(test)]
mod tests;
