//! Keeps the cache up to date: reads the change log once a second, and whenever a notification of a change arrives.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::service::Service;
use crate::store::{ChangedRows, LogPosition, LogRead, Store};

const INTERVAL: Duration = Duration::from_secs(1);
/// How long changes are kept. A change is pruned once every snapshot taken in this period could see it.
const KEPT: Duration = Duration::from_secs(600);
/// The greatest age of a position to continue from. It is less than `KEPT`, because the clocks of processes may run at
/// different speeds.
const REACH: Duration = Duration::from_secs(540);
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// Follows the change log from one position to the next.
pub struct Follower {
    position: LogPosition,
    read_at: Instant,
    /// The oldest open transaction at each round of pruning, oldest first.
    horizons: VecDeque<(Instant, i64)>,
}

impl Follower {
    /// Begins at the current position: nothing that was read earlier is cached.
    pub async fn begin(store: &Store) -> Result<Self, Error> {
        let read_at = Instant::now();
        let LogRead { position, .. } = store.read_changes(None).await?;
        Ok(Self {
            position,
            read_at,
            horizons: VecDeque::new(),
        })
    }

    /// Reads the new changes and marks their rows in the cache.
    async fn follow(&mut self, service: &Service) -> Result<(), Error> {
        let read_at = Instant::now();
        let LogRead { changed, position } =
            service.store.read_changes(Some(&self.position)).await?;
        match changed {
            ChangedRows::Some(ids) if self.is_complete_until(&position, read_at) => {
                for id in &ids {
                    service.row_changed(id);
                }
            }
            ChangedRows::Some(_) | ChangedRows::All => {
                // Transaction ids of another server mean nothing on this one.
                self.horizons.clear();
                service.all_changed();
            }
        }
        service.changes_read_until(read_at);
        self.position = position;
        self.read_at = read_at;
        self.prune(service, read_at).await
    }

    /// Whether the log holds all changes since our position. It does not on another server, in an older state, or if it
    /// may have been pruned past our position.
    fn is_complete_until(&self, position: &LogPosition, read_at: Instant) -> bool {
        position.server == self.position.server
            && position.next >= self.position.next
            && read_at.duration_since(self.read_at) <= REACH
    }

    /// Prunes the log once a minute. Changes that were committed ten minutes ago have been seen by every reader's
    /// snapshot.
    async fn prune(&mut self, service: &Service, now: Instant) -> Result<(), Error> {
        if self
            .horizons
            .back()
            .is_some_and(|(at, _)| now.duration_since(*at) < PRUNE_INTERVAL)
        {
            return Ok(());
        }
        self.horizons.push_back((now, self.position.oldest_open));
        let mut reached = None;
        while let Some((at, horizon)) = self.horizons.front().copied()
            && now.duration_since(at) >= KEPT
        {
            self.horizons.pop_front();
            reached = Some(horizon);
        }
        match reached {
            Some(horizon) => service.store.prune_changes(horizon).await,
            None => Ok(()),
        }
    }
}

/// Follows the log until the service is closed.
pub(super) async fn run(service: Arc<Service>, mut follower: Follower) {
    let service = &*service;
    loop {
        // Without a notification (lost, or no LISTEN behind a pooler), a change takes at most an interval longer.
        let _ = timeout(INTERVAL, service.changed.notified()).await;
        // After an error the position stays where it is. The cache limits how long its entries are valid in that state.
        let round = follower.follow(service);
        service.run_round(BackgroundTask::ChangeLog, round).await;
        service.cache.sweep();
        service.admin_tokens.sweep();
        service.issued_plaintexts.sweep(Instant::now());
    }
}
