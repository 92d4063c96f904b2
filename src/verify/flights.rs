//! Single flight: who presents the same key at the same time shares one answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use super::prove::{Outcome, fly};
use crate::cache::Digest;
use crate::error::Error;
use crate::service::Service;
use crate::token::Plaintext;

type Flight = Shared<BoxFuture<'static, Result<Outcome, Error>>>;

#[derive(Default)]
pub struct Flights(Mutex<HashMap<Digest, Flight>>);

impl Flights {
    /// Joins the flight of this key, or begins it.
    pub(super) async fn join(
        &self,
        service: &Arc<Service>,
        digest: Digest,
        key: &Plaintext,
    ) -> Result<Outcome, Error> {
        let flight = {
            let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let begin = || begin(Arc::clone(service), digest, key.clone());
            flights.entry(digest).or_insert_with(begin).clone()
        };
        flight.await
    }

    fn land(&self, digest: Digest) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&digest);
    }
}

/// A task of its own: it goes on for the others when the one who began it is gone.
fn begin(service: Arc<Service>, digest: Digest, key: Plaintext) -> Flight {
    let flight = tokio::spawn(async move {
        let outcome = fly(Arc::clone(&service), digest, key).await;
        service.flights.land(digest);
        outcome
    });
    let landed = async move {
        let defect = || Error::Internal("A defect was met; the verify was abandoned".into());
        flight.await.unwrap_or_else(|_| Err(defect()))
    };
    landed.boxed().shared()
}
