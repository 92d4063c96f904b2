//! Listens for notifications of changes. Without them the log is still read once an interval.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::metrics::BackgroundTask;
use crate::service::Service;
use crate::store::NotificationListener;

/// Listens until the service shuts down, on a new connection where one is lost.
pub(super) async fn run(service: Arc<Service>, listener: NotificationListener) {
    const PAUSE: Duration = Duration::from_millis(200);
    let service = &*service;
    let listening = async {
        loop {
            let listened = Box::pin(listener.listen(|| service.changed.notify_one()));
            service.run_round(BackgroundTask::Listener, listened).await;
            sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = service.shutdown.cancelled() => {}
        () = listening => {}
    }
}
