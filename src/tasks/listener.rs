//! Listens for notifications of changes. Without them, the change log is still read once per interval.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::metrics::BackgroundTask;
use crate::service::Service;
use crate::store::NotificationListener;

/// Listens until the service is closed. A lost connection is replaced by a new one.
pub(super) async fn run(service: Arc<Service>, listener: NotificationListener) {
    const PAUSE: Duration = Duration::from_millis(200);
    loop {
        let round = Box::pin(listener.listen(|| service.changed.notify_one()));
        service.run_round(BackgroundTask::Listener, round).await;
        sleep(PAUSE).await;
    }
}
