//! Single flight: who presents the same key at the same time shares one answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::prove::{Outcome, fly};
use super::{Lookup, Presented};
use crate::cache::{Digest, Found};
use crate::defect::caught;
use crate::error::Error;
use crate::lock::locked;
use crate::service::Service;

type Flight = Shared<BoxFuture<'static, Result<Outcome, Error>>>;

/// The flights in the air.
#[derive(Default)]
pub struct Flights {
    in_air: Mutex<InAir>,
}

#[derive(Default)]
struct InAir {
    flights: HashMap<Digest, InFlight>,
    /// How many of them will need the hash. Not those of the shape of old keys: anybody can make such strings, and
    /// only a row tells.
    hashing: usize,
}

struct InFlight {
    flight: Flight,
    hashing: bool,
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
            let mut in_air = locked(&self.in_air);
            match in_air.flights.get(&presented.digest) {
                Some(InFlight { flight, .. }) => flight.clone(),
                None => {
                    let hashing = may_hash(service, presented);
                    if hashing {
                        service.hasher.admit(in_air.hashing)?;
                    }
                    in_air.hashing += usize::from(hashing);
                    let flight = begin(Arc::clone(service), presented.clone());
                    let in_flight = InFlight {
                        flight: flight.clone(),
                        hashing,
                    };
                    in_air.flights.insert(presented.digest, in_flight);
                    flight
                }
            }
        };
        flight.await
    }

    fn land(&self, digest: Digest) {
        let mut in_air = locked(&self.in_air);
        if let Some(landed) = in_air.flights.remove(&digest) {
            in_air.hashing -= usize::from(landed.hashing);
        }
    }
}

/// What was proved before is only read again, and a cold digest makes the hash needless.
fn may_hash(service: &Service, presented: &Presented) -> bool {
    let known = matches!(
        service.cache.find(&presented.digest, Instant::now()),
        Found::Stale(_) | Found::Current(_)
    );
    let issued = matches!(presented.lookup, Lookup::Issued(_));
    issued && !known && service.cold_digests.is_none()
}

/// A task of its own: it goes on for the others when the one who began it is gone.
fn begin(service: Arc<Service>, presented: Presented) -> Flight {
    let flight = tokio::spawn(async move {
        let digest = presented.digest;
        // It lands in any case: who presents the key next must not wait for it for ever.
        let outcome = caught(fly(&service, presented))
            .await
            .and_then(|outcome| outcome);
        service.flights.land(digest);
        outcome
    });
    let landed = async move {
        let defect = || Error::Internal("Internal error: the verification was abandoned".into());
        flight.await.unwrap_or_else(|_| Err(defect()))
    };
    landed.boxed().shared()
}
