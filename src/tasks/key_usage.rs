//! Copies the use of keys to where lists are sorted by it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::metrics::BackgroundTask;
use crate::service::Service;

/// With the time for which the statement waits for flushes, a copy is at most a minute behind.
const PAUSE: Duration = Duration::from_secs(15);

/// Copies until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    loop {
        sleep(PAUSE).await;
        let copied = async {
            while service.store.copy_key_usage().await? {}
            Ok(())
        };
        service.run_round(BackgroundTask::KeyUsage, copied).await;
    }
}
