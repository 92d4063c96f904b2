//! The circuit breaker: while the database does not answer, calls fail at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::error::Error;

#[derive(Debug, Default)]
pub struct Circuit {
    open: AtomicBool,
    /// Statements that the server has answered.
    answered: AtomicU64,
    suspected: Notify,
}

impl Circuit {
    /// Returns how many statements were answered so far, or fails at once while the circuit is open.
    pub(in crate::store) fn enter(&self) -> Result<u64, Error> {
        if self.open.load(Ordering::Acquire) {
            return Err(Error::unavailable("The database is unavailable"));
        }
        Ok(self.answers())
    }

    pub(in crate::store) fn answers(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Records an unanswered statement. The statement itself may be the cause, unless no other one was answered since
    /// it began.
    pub(in crate::store) fn not_answered(&self, answers_before: u64) {
        if self.answers() == answers_before {
            self.suspect();
        }
    }

    /// Wakes the task that watches for an outage.
    pub fn suspect(&self) {
        self.suspected.notify_one();
    }

    pub async fn suspected(&self) {
        self.suspected.notified().await;
    }

    pub fn open(&self) {
        self.open.store(true, Ordering::Release);
    }

    pub fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}
