//! The threads whose JavaScript sends requests, and how these ended.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Takes a request as JSON and sends it. Returns whether the thread still exists.
type Courier = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// A request that is over.
#[derive(Debug)]
pub struct Ended {
    /// Its number in this process: that of a delivery may stand for another one after a reconfiguration, or for another attempt.
    pub flight: u64,
    /// Why it was not accepted; `None` if it was.
    pub problem: Option<String>,
}

/// Shared by all services that the process starts and closes.
#[derive(Default)]
pub struct Couriers {
    threads: Mutex<Vec<Courier>>,
    flights: AtomicU64,
    ended: Mutex<Vec<Ended>>,
    has_ended: Notify,
}

impl Couriers {
    pub fn add(&self, courier: Courier) {
        self.threads.lock().push(courier);
    }

    /// Whether anybody can send.
    pub fn are_there(&self) -> bool {
        !self.threads.lock().is_empty()
    }

    /// The number of the next request.
    pub fn next_flight(&self) -> u64 {
        self.flights.fetch_add(1, Ordering::Relaxed)
    }

    /// Hands a request to the first thread that still exists. Returns whether there was one.
    pub fn send(&self, request: &str) -> bool {
        let mut threads = self.threads.lock();
        let is_sent = |courier: &Courier| courier(request);
        let gone = threads
            .iter()
            .take_while(|courier| !is_sent(courier))
            .count();
        threads.drain(..gone);
        !threads.is_empty()
    }

    pub fn end(&self, ended: Ended) {
        self.ended.lock().push(ended);
        self.has_ended.notify_one();
    }

    /// The requests that ended since this was asked last.
    pub fn take_ended(&self) -> Vec<Ended> {
        mem::take(&mut *self.ended.lock())
    }

    /// Waits until a request has ended.
    pub async fn some_ended(&self) {
        self.has_ended.notified().await;
    }
}
