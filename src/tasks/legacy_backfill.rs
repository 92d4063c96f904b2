//! Looks after the rows that other writers leave: reports hashes without a lookup, and hashes plaintext if that is switched
//! on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::config::Adopt;
use crate::error::Error;
use crate::legacy::{backfill, report_lost_keys};
use crate::metrics::BackgroundTask;
use crate::service::Service;

/// Runs a round at the start, after changes of rows, and once a minute, until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    /// Without a change: for rows that were locked.
    const INTERVAL: Duration = Duration::from_secs(60);
    const AFTER_FAULT: Duration = Duration::from_secs(5);
    /// Between two rounds, however often rows change.
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        let round = round(&service);
        let done = service
            .run_round(BackgroundTask::LegacyBackfill, round)
            .await;
        sleep(PAUSE).await;
        let interval = if done.is_some() {
            INTERVAL
        } else {
            AFTER_FAULT
        };
        let _ = timeout(interval, service.rows_changed.notified()).await;
    }
}

async fn round(service: &Arc<Service>) -> Result<(), Error> {
    report_lost_keys(service).await?;
    if service.config.adopt == Adopt::Hash {
        backfill(service, None, || true).await?;
    }
    Ok(())
}
