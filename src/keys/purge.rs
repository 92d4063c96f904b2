//! Deletes the keys that were revoked long ago.

use crate::error::Error;
use crate::events::Event;
use crate::model::{AuditEntry, Escaped, Timestamp};
use crate::random;
use crate::service::Service;

/// Keys per statement: few, since a listener of events must keep up, and a table of the app may refer to each row.
const BATCH_MAX: i64 = 100;

/// Deletes the keys that were revoked more than so many days ago. Rows that are locked, or that the database refuses to
/// delete, hold up no other: the walk goes on behind them. Returns whether none is left.
pub async fn purge(service: &Service, days: i32) -> Result<bool, Error> {
    let mut walk = Walk::default();
    let mut last = None;
    loop {
        let due = service
            .store
            .keys_to_purge(days, last.as_ref(), BATCH_MAX)
            .await?;
        last = due.last().cloned();
        if last.is_none() {
            return walk.refused.map_or(Ok(walk.left == 0), Err);
        }
        let ids: Vec<String> = due.into_iter().map(|key| key.id).collect();
        walk.purge(service, &ids, days).await?;
    }
}

#[derive(Default)]
struct Walk {
    /// Keys that are still there.
    left: usize,
    /// Why the database refused to delete the last row of which it did.
    refused: Option<Error>,
}

impl Walk {
    /// A batch that the database refuses is purged in halves, until what it refuses is alone.
    async fn purge(&mut self, service: &Service, batch: &[String], days: i32) -> Result<(), Error> {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            match delete(service, part, days).await {
                Ok(purged) => self.left += part.len() - purged,
                Err(error) if !error.is_rejection() => return Err(error),
                Err(error) if part.len() == 1 => self.refused = Some(error),
                Err(_) => {
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.extend([second, first]);
                }
            }
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
