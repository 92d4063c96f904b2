//! Adds what flushes have stored to the usage over time, and closes hours.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::metrics::BackgroundTask;
use crate::service::Service;
use crate::usage_history;

const PAUSE: Duration = Duration::from_secs(15);

/// Works until the service is closed. One process at a time does, and the others leave it to that one.
pub(super) async fn run(service: Arc<Service>) {
    loop {
        let folded = async {
            while usage_history::fold_part(&service, false).await? {}
            Ok(())
        };
        service
            .run_round(BackgroundTask::UsageHistory, folded)
            .await;
        sleep(PAUSE).await;
    }
}
