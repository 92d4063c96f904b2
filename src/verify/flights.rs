//! Single flight: who presents the same key at the same time shares one answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::Presented;
use super::prove::{Outcome, fly};
use crate::cache::{Digest, Found};
use crate::error::Error;
use crate::service::Service;

type Flight = Shared<BoxFuture<'static, Result<Outcome, Error>>>;

/// The flights in the air.
#[derive(Default)]
pub struct Flights {
    in_air: Mutex<HashMap<Digest, Flight>>,
}

impl Flights {
    /// Joins the flight of this key, or begins it. One that would only join a long queue for the hash is refused
    /// before it costs anything.
    pub(super) async fn join(
        &self,
        service: &Arc<Service>,
        presented: &Presented,
    ) -> Result<Outcome, Error> {
        let flight = {
            let mut in_air = self.in_air();
            let ahead = in_air.len();
            match in_air.entry(presented.digest) {
                Entry::Occupied(flight) => flight.get().clone(),
                Entry::Vacant(place) => {
                    if may_hash(service, &presented.digest) {
                        service.hasher.admit(ahead)?;
                    }
                    place
                        .insert(begin(Arc::clone(service), presented.clone()))
                        .clone()
                }
            }
        };
        flight.await
    }

    fn land(&self, digest: Digest) {
        self.in_air().remove(&digest);
    }

    fn in_air(&self) -> MutexGuard<'_, HashMap<Digest, Flight>> {
        self.in_air.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was proved before is only read again, and a cold digest makes the hash needless.
fn may_hash(service: &Service, digest: &Digest) -> bool {
    let known = matches!(
        service.cache.find(digest, Instant::now()),
        Found::Stale(_) | Found::Current(_)
    );
    !known && service.cold_digests.is_none()
}

/// A task of its own: it goes on for the others when the one who began it is gone.
fn begin(service: Arc<Service>, presented: Presented) -> Flight {
    let flight = tokio::spawn(async move {
        let digest = presented.digest;
        let outcome = fly(&service, presented).await;
        service.flights.land(digest);
        outcome
    });
    let landed = async move {
        let defect = || Error::Internal("A defect was met; the verify was abandoned".into());
        flight.await.unwrap_or_else(|_| Err(defect()))
    };
    landed.boxed().shared()
}
