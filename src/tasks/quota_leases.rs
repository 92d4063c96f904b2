//! Leases units of quotas, for verifies that wait for them and before others run out.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::quota_leases::{Asking, Lease, Purpose};
use crate::quotas;
use crate::service::Service;

/// Statements at a time. What waits meanwhile shares the next one.
const LANES: usize = 2;
/// Statements at a time that wait for a quota which another session has locked: they hold up no other.
const WAITING_LANES: usize = 4;

/// Leases until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    let lanes = Arc::new(Semaphore::new(LANES));
    let waiting = Arc::new(Semaphore::new(WAITING_LANES));
    loop {
        service.leases.queued.notified().await;
        while let Ok(lane) = Arc::clone(&lanes).acquire_owned().await {
            let batch = service.leases.next_batch();
            if batch.is_empty() {
                break;
            }
            let work = lease(Arc::clone(&service), batch, lane, Arc::clone(&waiting));
            service.spawn(BackgroundTask::QuotaLeases, work);
        }
    }
}

async fn lease(
    service: Arc<Service>,
    batch: Vec<Arc<Lease>>,
    lane: OwnedSemaphorePermit,
    waiting: Arc<Semaphore>,
) -> Result<(), Error> {
    // What is alone may be what everybody wants: then it waits for its turn at once.
    let (to_wait_for, result) = match &batch[..] {
        [alone] => {
            let asking = Asking::begin(alone, Purpose::Lease, service.moment());
            (asking.into_iter().collect(), Ok(()))
        }
        batch => quotas::ask(&service, batch, Purpose::Lease).await,
    };
    drop(lane);
    for asking in to_wait_for {
        let work = lease_alone(Arc::clone(&service), asking, Arc::clone(&waiting));
        service.spawn(BackgroundTask::QuotaLeases, work);
    }
    result
}

async fn lease_alone(
    service: Arc<Service>,
    asking: Asking,
    waiting: Arc<Semaphore>,
) -> Result<(), Error> {
    let _lane = waiting.acquire_owned().await;
    quotas::ask_alone(&service, asking).await
}
