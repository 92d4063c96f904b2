//! Keeps the cache true: reads the change log once a second, and whenever the database says that something changed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::service::Service;
use crate::store::{ChangedRows, LogPosition, LogRead, Store};

const INTERVAL: Duration = Duration::from_secs(1);
/// How far back the log reaches: what every snapshot since then could see is pruned.
const KEPT: Duration = Duration::from_secs(600);
/// How old a position may be to begin from. Less than what is kept: clocks of processes run differently.
const REACH: Duration = Duration::from_secs(540);
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// Follows the change log from one position to the next.
pub struct Follower {
    position: LogPosition,
    read_at: Instant,
    /// The oldest open transaction at each pruning, oldest first.
    horizons: VecDeque<(Instant, i64)>,
}

impl Follower {
    /// Begins here: nothing that was read earlier is cached.
    pub async fn begin(store: &Store) -> Result<Self, Error> {
        let read_at = Instant::now();
        let LogRead { position, .. } = store.read_changes(None).await?;
        Ok(Self {
            position,
            read_at,
            horizons: VecDeque::new(),
        })
    }

    /// Reads what is new and marks it in the cache.
    async fn follow(&mut self, service: &Service) -> Result<(), Error> {
        let read_at = Instant::now();
        let LogRead { changed, position } =
            service.store.read_changes(Some(&self.position)).await?;
        match changed {
            ChangedRows::Some(ids) if self.tells_all_until(&position, read_at) => {
                for id in &ids {
                    service.row_changed(id);
                }
            }
            ChangedRows::Some(_) | ChangedRows::All => {
                // Horizons of another server mean nothing on this one.
                self.horizons.clear();
                service.all_changed();
            }
        }
        service.changes_read_until(read_at);
        self.position = position;
        self.read_at = read_at;
        self.prune(service, read_at).await
    }

    /// Whether the log tells everything since our position: not on another server, not in an older state, and not
    /// where it may have been pruned beyond it.
    fn tells_all_until(&self, position: &LogPosition, read_at: Instant) -> bool {
        position.server == self.position.server
            && position.next >= self.position.next
            && read_at.duration_since(self.read_at) <= REACH
    }

    /// Once a minute: what was finished ten minutes ago, every reader's snapshot has seen.
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
        // A lost notification, or a pooler that cannot LISTEN, costs an interval.
        let _ = timeout(INTERVAL, service.changed.notified()).await;
        // A fault leaves the position where it is; how long that may last is the cache's bound.
        let round = follower.follow(service);
        service.run_round(BackgroundTask::ChangeLog, round).await;
        service.cache.sweep();
        service.admin_tokens.sweep();
    }
}
