//! Leases units of quotas, for verifies that wait for them and before others run out.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::quota_leases::{Lease, Purpose};
use crate::quotas;
use crate::service::Service;

/// Statements at a time. What waits meanwhile shares the next one.
const LANES: usize = 2;

/// Leases until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    let lanes = Arc::new(Semaphore::new(LANES));
    loop {
        match service.leases.next_later() {
            Some(at) => drop(timeout_at(at.into(), service.leases.queued.notified()).await),
            None => service.leases.queued.notified().await,
        }
        while let Ok(lane) = Arc::clone(&lanes).acquire_owned().await {
            let batch = service.leases.next_batch();
            if batch.is_empty() {
                break;
            }
            let work = lease(Arc::clone(&service), batch, lane);
            service.spawn(BackgroundTask::QuotaLeases, work);
        }
    }
}

async fn lease(
    service: Arc<Service>,
    batch: Vec<Arc<Lease>>,
    lane: OwnedSemaphorePermit,
) -> Result<(), Error> {
    let result = quotas::ask(&service, &batch, Purpose::Lease).await;
    drop(lane);
    result
}
