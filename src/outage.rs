//! Notices that the database does not answer, and that it does again: one probe at a time.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rand::RngExt;
use tokio::sync::Notify;

use crate::defect::caught;
use crate::error::Error;
use crate::events::Event;
use crate::service::Service;
use crate::store::Circuit;

/// From one probe to the next, so that many processes do not come in step.
const PAUSE: std::ops::Range<Duration> = Duration::from_millis(150)..Duration::from_millis(350);

/// Watches for as long as the service is in use. `changed` makes it read the change log, which all that is cached
/// depends on.
pub async fn watch(service: Weak<Service>, circuit: Arc<Circuit>, changed: Arc<Notify>) {
    loop {
        circuit.suspected().await;
        let Some(service) = service
            .upgrade()
            .filter(|service| !service.store.is_closed())
        else {
            return;
        };
        let since = Instant::now();
        let Err(error) = probe(&service).await else {
            continue;
        };
        circuit.open();
        service.tell(&Event::DatabaseUnavailable {
            message: error.to_string(),
        });
        if !answers_again(&service).await {
            return;
        }
        service.store.renew();
        circuit.close();
        changed.notify_one();
        service.tell(&Event::recovered(since.elapsed()));
    }
}

/// `false`: the service was closed meanwhile.
async fn answers_again(service: &Service) -> bool {
    loop {
        let pause = rand::rng().random_range(PAUSE);
        tokio::time::sleep(pause).await;
        if service.store.is_closed() {
            return false;
        }
        if probe(service).await.is_ok() {
            return true;
        }
    }
}

/// A defect in it must not end the watch: the circuit would stay as it is.
async fn probe(service: &Service) -> Result<(), Error> {
    caught(service.store.probe()).await?
}
