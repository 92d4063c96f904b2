//! Leases units of quotas, for verifies that wait for them and before others run out.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::quota_leases::{Asking, Lease, Purpose};
use crate::quotas;
use crate::service::Service;

/// Statements at a time. What waits meanwhile shares the next one.
const LANES: usize = 2;
/// How long a quota that another session has locked is left alone, in milliseconds: about as long as a statement takes.
const PAUSE_MS: std::ops::Range<u64> = 5..25;

/// Leases until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    let lanes = Arc::new(Semaphore::new(LANES));
    loop {
        service.leases.queued.notified().await;
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
    let (locked, result) = quotas::ask(&service, &batch, Purpose::Lease).await;
    drop(lane);
    if !locked.is_empty() {
        let work = lease_later(Arc::clone(&service), locked);
        service.spawn(BackgroundTask::QuotaLeases, work);
    }
    result
}

/// Tries those again that are locked. No other waits for them.
async fn lease_later(service: Arc<Service>, locked: Vec<Asking>) -> Result<(), Error> {
    let pause = rand::rng().random_range(PAUSE_MS);
    sleep(Duration::from_millis(pause)).await;
    for asking in locked {
        quotas::postpone(&service, asking);
    }
    Ok(())
}
