//! What is remembered of what happened: told to operators and written to the database, in batches and within bounds.

mod input;
mod refusals;
#[cfg(test)]
mod tests;

pub use input::{AuditQuery, actor};
pub use refusals::{Attempt, Of};

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::events::Event;
use crate::input::page::{Cursor, Page};
use crate::lock::locked;
use crate::model::Timestamp;
use crate::random;
use crate::service::Service;
use crate::store::AuditRow;
use refusals::Refusals;

/// Entries that wait to be written, in an outage above all; of more the newest are dropped and counted.
const WAITING_MAX: usize = 10_000;
/// Entries a statement.
const BATCH_MAX: usize = 500;

/// One thing that happened, or many alike.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: String,
    pub at: Timestamp,
    pub count: u64,
    pub event: Event,
}

#[derive(Default)]
pub struct Audit {
    refusals: Mutex<Refusals>,
    waiting: Mutex<VecDeque<Entry>>,
    dropped: AtomicU64,
    /// One writer at a time.
    writing: tokio::sync::Mutex<()>,
}

impl Audit {
    /// Counts a refused attempt. Those alike become one entry with the next flush.
    pub fn refuse(&self, attempt: &Attempt<'_>, now: Timestamp) {
        locked(&self.refusals).count(attempt, now);
    }

    /// Attempts and changes that could not be kept.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    pub fn is_empty(&self) -> bool {
        locked(&self.refusals).is_empty() && locked(&self.waiting).is_empty()
    }

    /// Counts what has not been written as dropped, when nobody will write it any more.
    pub fn give_up(&self) -> u64 {
        let refused: u64 = locked(&self.refusals)
            .take()
            .iter()
            .map(|(_, count, _)| count)
            .sum();
        let waiting: u64 = locked(&self.waiting)
            .drain(..)
            .map(|entry| entry.count)
            .sum();
        let lost = refused + waiting;
        self.dropped.fetch_add(lost, Ordering::Relaxed);
        lost
    }

    fn keep(&self, entry: Entry) {
        let mut waiting = locked(&self.waiting);
        if waiting.len() < WAITING_MAX {
            waiting.push_back(entry);
        } else {
            self.dropped.fetch_add(entry.count, Ordering::Relaxed);
        }
    }

    /// The oldest entries; they stay until they are written.
    fn batch(&self) -> Vec<Entry> {
        locked(&self.waiting)
            .iter()
            .take(BATCH_MAX)
            .cloned()
            .collect()
    }

    fn written(&self, entries: usize) {
        locked(&self.waiting).drain(..entries);
    }
}

/// Tells an event and keeps it.
pub fn record(service: &Service, event: Event, now: Timestamp) {
    record_many(service, event, 1, now);
}

fn record_many(service: &Service, event: Event, count: u64, now: Timestamp) {
    service.tell_at(&event, now);
    match random::generator() {
        Ok(mut rng) => service.audit.keep(Entry {
            id: random::id(&mut rng),
            at: now,
            count,
            event,
        }),
        Err(_) => {
            service.audit.dropped.fetch_add(count, Ordering::Relaxed);
        }
    }
}

/// Writes what is to be kept. On a fault it waits for the next time.
pub async fn write(service: &Service) -> Result<(), Error> {
    let refused = locked(&service.audit.refusals).take();
    for (event, count, at) in refused {
        record_many(service, event, count, at);
    }
    let _one_at_a_time = service.audit.writing.lock().await;
    loop {
        let batch = service.audit.batch();
        if batch.is_empty() {
            return Ok(());
        }
        service.store.write_audit(&batch).await?;
        service.audit.written(batch.len());
    }
}

/// Forgets what is older than the configured time.
pub async fn prune(service: &Service, now: Timestamp) -> Result<(), Error> {
    let before = now.plus_seconds(-i64::from(service.config.audit_retention_days) * 86_400);
    while service.store.prune_audit(before).await? {}
    Ok(())
}

/// Newest first.
pub async fn list(service: &Service, query: &AuditQuery) -> Result<Page<AuditRow>, Error> {
    let rows = service.store.list_audit(query).await?;
    Ok(Page::of(rows, query.limit, |row| Cursor {
        at: row.at,
        id: row.id.clone(),
    }))
}
