//! Delivers notices to webhooks, if this process is the one that does.

use std::sync::Arc;

use crate::metrics::BackgroundTask;
use crate::service::Service;
use crate::webhooks::Desk;

/// Delivers until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    let mut desk = Desk::default();
    loop {
        desk.wait(&service).await;
        let round = desk.work(&service);
        service.run_round(BackgroundTask::Webhooks, round).await;
    }
}
