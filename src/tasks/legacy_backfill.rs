//! Hashes legacy rows in the background, if that is switched on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::legacy::backfill;
use crate::metrics::BackgroundTask;
use crate::service::Service;

/// Runs the backfill once a minute until the service is closed; after an error sooner.
pub(super) async fn run(service: Arc<Service>) {
    const INTERVAL: Duration = Duration::from_secs(60);
    const AFTER_FAULT: Duration = Duration::from_secs(5);
    loop {
        let done = backfill(&service, None, || true);
        let done = service
            .run_round(BackgroundTask::LegacyBackfill, done)
            .await;
        let pause = if done.is_some() {
            INTERVAL
        } else {
            AFTER_FAULT
        };
        sleep(pause).await;
    }
}
