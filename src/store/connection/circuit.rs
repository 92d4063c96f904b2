//! The circuit breaker: while the database does not answer, calls fail at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use super::error::unavailable;
use crate::error::Error;

#[derive(Debug, Default)]
pub struct Circuit {
    open: AtomicBool,
    /// Why it is open.
    reason: ArcSwapOption<Error>,
    /// Statements that the server has answered.
    answered: AtomicU64,
    suspected: Notify,
}

impl Circuit {
    /// Returns how many statements were answered so far, or fails at once while the circuit is open.
    pub(in crate::store) fn enter(&self) -> Result<u64, Error> {
        if self.open.load(Ordering::Acquire) {
            let reason = self.reason.load();
            return Err(reason.as_deref().cloned().unwrap_or_else(unavailable));
        }
        Ok(self.answers())
    }

    /// Fails while the circuit is open.
    ///
    /// # Errors
    /// That of every statement meanwhile.
    pub fn check(&self) -> Result<(), Error> {
        self.enter().map(drop)
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

    pub fn open(&self, reason: &Error) {
        self.reason.store(Some(reason.clone().into()));
        self.open.store(true, Ordering::Release);
    }

    pub fn close(&self) {
        self.open.store(false, Ordering::Release);
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Acquire)
    }
}
