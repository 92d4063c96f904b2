//! Adds what flushes have stored to the usage over time, and closes hours.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::metrics::BackgroundTask;
use crate::service::Service;

const PAUSE: Duration = Duration::from_secs(15);

/// Works until the service is closed. One process at a time does, and the others leave it to that one.
pub(super) async fn run(service: Arc<Service>) {
    loop {
        sleep(PAUSE).await;
        let folded = async {
            while service.store.fold_usage(false).await? {}
            Ok(())
        };
        service
            .run_round(BackgroundTask::UsageHistory, folded)
            .await;
    }
}
