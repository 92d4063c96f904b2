//! Single flight: callers that need the same thing at the same time share one answer.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio_util::task::TaskTracker;

use crate::error::Error;
use crate::lock::locked;
use crate::panic;

type Flight<V> = Shared<BoxFuture<'static, Result<V, Error>>>;

/// The work in flight, by key. Clones share it.
pub struct SingleFlight<K, V>(Arc<Mutex<HashMap<K, Flight<V>>>>);

impl<K, V> SingleFlight<K, V>
where
    K: Copy + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Joins the work in flight for this key. Where there is none `begin` makes it, or refuses; it then runs as a task
    /// of its own, so that it goes on for the others when the caller that began it is dropped.
    pub async fn join<W>(
        &self,
        key: K,
        tasks: &TaskTracker,
        begin: impl FnOnce() -> Result<W, Error>,
    ) -> Result<V, Error>
    where
        W: Future<Output = Result<V, Error>> + Send + 'static,
    {
        let flight = {
            let mut in_flight = locked(&self.0);
            match in_flight.get(&key) {
                Some(flight) => flight.clone(),
                None => {
                    let flight = self.spawn(key, tasks, begin()?);
                    in_flight.insert(key, flight.clone());
                    flight
                }
            }
        };
        flight.await
    }

    fn spawn(
        &self,
        key: K,
        tasks: &TaskTracker,
        work: impl Future<Output = Result<V, Error>> + Send + 'static,
    ) -> Flight<V> {
        let finished = Finished(Arc::clone(&self.0), key);
        let task = tasks.spawn(async move {
            // Dropped in any case: the next caller must not wait for a flight that is over.
            let _finished = finished;
            panic::catch(work).await?
        });
        async move {
            let aborted = || Error::internal("Internal error: the call was abandoned");
            task.await.unwrap_or_else(|_| Err(aborted()))
        }
        .boxed()
        .shared()
    }

    /// How much is in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        locked(&self.0).len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Clone for SingleFlight<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Takes a flight out when it is over, however it ended.
struct Finished<K: Eq + Hash, V>(Arc<Mutex<HashMap<K, Flight<V>>>>, K);

impl<K: Eq + Hash, V> Drop for Finished<K, V> {
    fn drop(&mut self) {
        locked(&self.0).remove(&self.1);
    }
}
