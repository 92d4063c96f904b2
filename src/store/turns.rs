//! Changes of the same row by this process take turns: they wait here, in their order, and not in the database, where each
//! would hold a connection.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout_at};

/// The rows that are being changed, by their ids. A row is here only while somebody changes it or waits for it.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Box<str>, Arc<AsyncMutex<()>>>>);

/// A place in the queue of a row. While it exists and has its turn, nobody else in this process changes the row.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    id: &'a str,
    row: Arc<AsyncMutex<()>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Waits for the turn of this caller, until `end`.
    pub(super) async fn take<'a>(&'a self, id: &'a str, end: Instant) -> Option<Turn<'a>> {
        let row = Arc::clone(self.0.lock().entry(id.into()).or_default());
        let mut turn = Turn {
            turns: self,
            id,
            row,
            guard: None,
        };
        let guard = Arc::clone(&turn.row).lock_owned();
        turn.guard = Some(timeout_at(end, guard).await.ok()?);
        Some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.guard.take());
        let mut rows = self.turns.0.lock();
        // The map and this: nobody else waits.
        if Arc::strong_count(&self.row) == 2 {
            rows.remove(self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_row_is_changed_by_one_at_a_time_and_forgotten_afterwards() {
        let turns = Turns::default();
        let end = Instant::now() + Duration::from_secs(60);
        let first = turns.take("a", end).await;
        assert!(first.is_some());
        assert!(turns.take("b", end).await.is_some());
        assert!(turns.take("a", Instant::now()).await.is_none());
        let (second, ()) = tokio::join!(turns.take("a", end), async { drop(first) });
        assert!(second.is_some());
        drop(second);
        assert!(turns.0.lock().is_empty());
    }
}
