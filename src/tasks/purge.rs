//! Deletes keys that were revoked long ago, if that is switched on. Several processes may do it at once: each leaves the rows
//! that another one is deleting.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::keys;
use crate::metrics::BackgroundTask;
use crate::service::Service;

/// Purges at the start and once an hour, until the service is closed.
pub(super) async fn run(service: Arc<Service>, days: i32) {
    const INTERVAL: Duration = Duration::from_secs(3_600);
    /// After a fault, or if rows were locked. It doubles with each further try.
    const FIRST_RETRY: Duration = Duration::from_secs(5);
    let mut retry = FIRST_RETRY;
    loop {
        let round = Box::pin(keys::purge(&service, days));
        let is_done = service.run_round(BackgroundTask::Pruning, round).await;
        if is_done == Some(true) {
            retry = FIRST_RETRY;
            sleep(INTERVAL).await;
        } else {
            sleep(retry).await;
            retry = INTERVAL.min(retry * 2);
        }
    }
}
