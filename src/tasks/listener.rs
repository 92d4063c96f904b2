//! Listens for notifications. Without them, the change log is still read once per interval, and units of quotas are given back
//! when they were not used for a while.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::metrics::BackgroundTask;
use crate::model::LimitId;
use crate::service::Service;
use crate::store::{Notice, NotificationListener};

/// Listens until the service is closed. A lost connection is replaced by a new one.
pub(super) async fn run(service: Arc<Service>, listener: NotificationListener) {
    const PAUSE: Duration = Duration::from_millis(200);
    loop {
        let round = Box::pin(listener.listen(|notice| match notice {
            Notice::Changes => {
                service.changed.notify_one();
                service.deliverer.note_change();
            }
            Notice::Recall(quota) => {
                let quota = LimitId::from(quota.to_owned());
                service.leases.recall(&quota, service.moment());
            }
        }));
        service.run_round(BackgroundTask::Listener, round).await;
        sleep(PAUSE).await;
    }
}
