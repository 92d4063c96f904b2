//! Detects outages of the database and their end, with one probe at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::time::sleep;

use crate::error::Error;
use crate::events::Event;
use crate::panic;
use crate::service::Service;
use crate::store::Store;

/// The pause between probes. It is random, so that many processes do not probe in step.
const PAUSE: std::ops::Range<Duration> = Duration::from_millis(150)..Duration::from_millis(350);

/// Watches until the service is closed.
pub(super) async fn run(service: Arc<Service>) {
    let service = &*service;
    let circuit = service.store.circuit();
    loop {
        circuit.suspected().await;
        let since = Instant::now();
        let Err(error) = probe(&service.store).await else {
            continue;
        };
        circuit.open(&error);
        service.emit(&Event::DatabaseUnavailable {
            message: error.to_string(),
        });
        until_it_answers(&service.store).await;
        service.store.replace_connections();
        circuit.close();
        // The cache depends on the change log, so it is read at once.
        service.changed.notify_one();
        let down_for = since.elapsed();
        service.emit(&Event::recovered(down_for));
        // Best effort: who wants to be sure asks for the health.
        let millis = i64::try_from(down_for.as_millis()).unwrap_or(i64::MAX);
        let _ = service.store.write_outage_notices(millis).await;
    }
}

/// Probes until the database answers.
pub async fn until_it_answers(store: &Store) {
    loop {
        let pause = rand::rng().random_range(PAUSE);
        sleep(pause).await;
        if probe(store).await.is_ok() {
            return;
        }
    }
}

/// Probes the database. A panic is caught, since it would end the task and leave the circuit as it is.
async fn probe(store: &Store) -> Result<(), Error> {
    panic::catch(store.probe()).await?
}
