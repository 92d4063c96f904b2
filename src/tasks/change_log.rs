//! Keeps the cache up to date: reads the change log once a second, and whenever a notification of a change arrives.

mod check;
mod clocks;
mod follower;
mod pruning;

pub use follower::Follower;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use self::check::Check;
use crate::metrics::BackgroundTask;
use crate::service::Service;

const INTERVAL: Duration = Duration::from_secs(1);

/// Follows the log until the service is closed.
pub(super) async fn run(service: Arc<Service>, mut follower: Follower) {
    let service = &*service;
    let mut check = Check::default();
    loop {
        // Without a notification (lost, or no LISTEN behind a pooler), a change takes at most an interval longer.
        let _ = timeout(INTERVAL, service.changed.notified()).await;
        // After an error the position stays where it is. The cache limits how long its entries are valid in that state.
        let round = follower.follow(service);
        service.run_round(BackgroundTask::ChangeLog, round).await;
        let round = check.run(service, &mut follower);
        service.run_round(BackgroundTask::ChangeLog, round).await;
        let round = follower.pruning.prune(&service.store);
        service.run_round(BackgroundTask::Pruning, round).await;
        let preloaded = service.preloaded_keys.len();
        service.cache.sweep(preloaded);
        service.clients.sweep(service.cache.len() + preloaded);
        service.roles.sweep(service.cache.len() + preloaded);
        service.admin_tokens.sweep(0);
        service.issued_plaintexts.sweep(Instant::now());
    }
}
