//! Deletes the keys that were revoked long ago.

use crate::error::Error;
use crate::events::Event;
use crate::model::{AuditEntry, Escaped, Timestamp};
use crate::random;
use crate::service::Service;
use crate::store::Parts;

/// Keys per statement: few, since a listener of events must keep up, and a table of the app may refer to each row.
const BATCH_MAX: usize = 100;

/// Deletes the keys that were revoked more than so many days ago. Rows that are locked, or that the database refuses to
/// delete, hold up no other. Returns whether none is left.
pub async fn purge(service: &Service, days: i32) -> Result<bool, Error> {
    loop {
        let due = service.store.keys_to_purge(days).await?;
        let mut pass = Pass::default();
        for batch in due.chunks(BATCH_MAX) {
            pass.purge(service, batch, days).await?;
        }
        // What is left now is tried again only after a pass that made progress.
        if pass.purged == 0 {
            return pass.refused.map_or(Ok(due.is_empty()), Err);
        }
    }
}

#[derive(Default)]
struct Pass {
    purged: usize,
    /// Why the database refused to delete the last row of which it did.
    refused: Option<Error>,
}

impl Pass {
    async fn purge(&mut self, service: &Service, batch: &[String], days: i32) -> Result<(), Error> {
        let mut parts = Parts::of(batch);
        while let Some(part) = parts.next_part() {
            match delete(service, part, days).await {
                Ok(purged) => {
                    parts.stored();
                    self.purged += purged;
                }
                Err(error) if !error.is_rejection() => return Err(error),
                Err(error) => {
                    // The whole batch is refused, but the next one need not be.
                    if let Err(error) = parts.failed(part, error) {
                        self.refused = Some(error);
                        return Ok(());
                    }
                }
            }
        }
        for (_, error) in parts.rejected(|_| true)? {
            self.refused = Some(error);
        }
        Ok(())
    }
}

/// Deletes those of the keys that can be. Returns how many these were.
async fn delete(service: &Service, ids: &[String], days: i32) -> Result<usize, Error> {
    let now = service.now();
    let entries = entries(ids, now)?;
    let purged = service.store.purge_keys(ids, &entries, days).await?;
    for id in &purged {
        service.cache.changed(id);
        service.emit_at(&event(id), now);
        service.metrics.purged_keys.add(1);
    }
    Ok(purged.len())
}

fn entries(ids: &[String], now: Timestamp) -> Result<Vec<AuditEntry>, Error> {
    let mut rng = random::generator()?;
    let entry = |id: &String| AuditEntry {
        id: random::id(&mut rng),
        at: now,
        count: 1,
        event: serde_json::to_value(event(id)).unwrap_or_default(),
    };
    Ok(ids.iter().map(entry).collect())
}

fn event(id: &str) -> Event {
    Event::KeyDeleted {
        key_id: Escaped::new(id),
        reason: Some("purged"),
        actor: None,
    }
}
