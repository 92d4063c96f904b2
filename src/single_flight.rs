//! Single flight: concurrent callers with the same key share one answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::Shared;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::background::Background;
use crate::error::Error;
use crate::panic;

type FlightResult<V> = Result<V, Error>;
type Flight<V> = Shared<oneshot::Receiver<FlightResult<V>>>;
type FlightMap<K, V> = Arc<Mutex<HashMap<K, Flight<V>>>>;

/// Work in flight, by key. Each flight is a task of its own: it continues when its callers are gone, and its key is free
/// again as soon as it ends, however it ends.
pub struct SingleFlight<K: Eq + Hash, V> {
    in_flight: FlightMap<K, V>,
    background: Background,
}

/// Frees the key when its flight ends, also by a panic or a stop of the service.
struct InFlightGuard<K: Eq + Hash, V> {
    key: K,
    in_flight: FlightMap<K, V>,
}

impl<K: Eq + Hash, V> Drop for InFlightGuard<K, V> {
    fn drop(&mut self) {
        self.in_flight.lock().remove(&self.key);
    }
}

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    #[must_use]
    pub fn new(background: Background) -> Self {
        Self {
            in_flight: FlightMap::default(),
            background,
        }
    }

    /// The number of flights in progress.
    pub fn in_flight(&self) -> usize {
        self.in_flight.lock().len()
    }

    /// Returns the answer of the flight in progress for this key, or of a new one that `begin` starts. `begin` runs
    /// under the lock of all flights: it may fail because of the flights in progress, and must not block.
    ///
    /// # Errors
    /// That of `begin` or of the work; [`Error::Internal`] after a panic.
    pub async fn run<F>(&self, key: K, begin: impl FnOnce() -> Result<F, Error>) -> FlightResult<V>
    where
        F: Future<Output = FlightResult<V>> + Send + 'static,
    {
        let (flight, new_work) = {
            let mut in_flight = self.in_flight.lock();
            match in_flight.get(&key) {
                Some(flight) => (flight.clone(), None),
                None => {
                    let work = begin()?;
                    let (sender, receiver) = oneshot::channel();
                    let flight = receiver.shared();
                    in_flight.insert(key.clone(), flight.clone());
                    (flight, Some((work, sender)))
                }
            }
        };
        // Outside the lock, because a task that cannot be spawned ends at once.
        if let Some((work, sender)) = new_work {
            let guard = InFlightGuard {
                key,
                in_flight: Arc::clone(&self.in_flight),
            };
            let work = panic::catch(work);
            self.background.spawn(async move {
                let answer = work.await.and_then(|answer| answer);
                drop(guard);
                let _ = sender.send(answer);
            });
        }
        let abandoned = |_| Err(Error::internal(panic::ABANDONED));
        flight.await.unwrap_or_else(abandoned)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;
    use tokio::task::yield_now;

    use super::*;

    type Flights = Arc<SingleFlight<&'static str, usize>>;

    fn flights() -> (Flights, Background) {
        let background = Background::default();
        (Arc::new(SingleFlight::new(background.clone())), background)
    }

    /// Work that ends when notified, and counts how often it was begun.
    #[derive(Default)]
    struct Work {
        begun: AtomicUsize,
        end: Notify,
    }

    impl Work {
        async fn run(self: Arc<Self>) -> FlightResult<usize> {
            let times = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            self.end.notified().await;
            Ok(times)
        }

        fn call(
            self: &Arc<Self>,
            flights: &Flights,
            key: &'static str,
        ) -> tokio::task::JoinHandle<FlightResult<usize>> {
            let (work, flights) = (Arc::clone(self), Arc::clone(flights));
            tokio::spawn(async move { flights.run(key, || Ok(work.run())).await })
        }

        async fn begun(&self, times: usize) {
            while self.begun.load(Ordering::SeqCst) < times {
                yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn concurrent_calls_share_an_answer_and_later_ones_do_not() {
        let (flights, _) = flights();
        let work = Arc::new(Work::default());
        let callers: Vec<_> = (0..10).map(|_| work.call(&flights, "a")).collect();
        let other = work.call(&flights, "b");
        work.begun(2).await;
        yield_now().await;
        assert_eq!(flights.in_flight(), 2);
        work.end.notify_waiters();
        let mut answers = Vec::new();
        for caller in callers {
            answers.push(caller.await.unwrap().unwrap());
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        other.await.unwrap().unwrap();
        assert_eq!(flights.in_flight(), 0);
        let later = work.call(&flights, "a");
        work.begun(3).await;
        work.end.notify_one();
        assert_eq!(later.await.unwrap().unwrap(), 3);
    }

    #[tokio::test]
    async fn an_error_is_shared() {
        let (flights, _) = flights();
        let fail = async || -> FlightResult<usize> {
            yield_now().await;
            Err(Error::unavailable("away"))
        };
        let begun = AtomicUsize::new(0);
        let call = || {
            flights.run("a", || {
                begun.fetch_add(1, Ordering::SeqCst);
                Ok(fail())
            })
        };
        let (one, other) = tokio::join!(call(), call());
        for answer in [one, other] {
            assert!(matches!(answer, Err(Error::DatabaseUnavailable { .. })));
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert_eq!(flights.in_flight(), 0);
    }

    #[tokio::test]
    async fn a_failed_begin_leaves_no_flight_behind() {
        let (flights, _) = flights();
        let refuse = || Err::<std::future::Pending<_>, _>(Error::unavailable("full"));
        assert!(flights.run("a", refuse).await.is_err());
        assert_eq!(flights.in_flight(), 0);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_for_all_and_frees_the_key() {
        let (flights, _) = flights();
        let call = || flights.run("a", || Ok(async { panic!("on purpose") }));
        let (one, other) = tokio::join!(call(), call());
        for answer in [one, other] {
            assert!(matches!(answer, Err(Error::Internal { .. })));
        }
        assert_eq!(flights.in_flight(), 0);
        assert_eq!(flights.run("a", || Ok(async { Ok(7) })).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_flight_without_callers_goes_on_and_ends() {
        let (flights, _) = flights();
        let work = Arc::new(Work::default());
        let leader = work.call(&flights, "a");
        work.begun(1).await;
        let other = work.call(&flights, "a");
        yield_now().await;
        leader.abort();
        assert!(leader.await.is_err());
        work.end.notify_one();
        assert_eq!(other.await.unwrap().unwrap(), 1);

        let last = work.call(&flights, "a");
        work.begun(2).await;
        last.abort();
        assert!(last.await.is_err());
        assert_eq!(flights.in_flight(), 1);
        work.end.notify_one();
        while flights.in_flight() > 0 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_stop_ends_flights_with_an_error_and_frees_their_keys() {
        let (flights, background) = flights();
        let work = Arc::new(Work::default());
        let caller = work.call(&flights, "a");
        work.begun(1).await;
        background.stop().await;
        assert!(matches!(caller.await.unwrap(), Err(Error::Internal { .. })));
        assert_eq!(flights.in_flight(), 0);
        // New calls fail at once instead of waiting forever.
        assert!(work.call(&flights, "a").await.unwrap().is_err());
        assert_eq!(flights.in_flight(), 0);
        assert_eq!(Arc::strong_count(&work), 1);
    }
}
