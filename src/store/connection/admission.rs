//! Admission permits for verifies that query the database: a storm of them leaves connections for everything else, and
//! waits in little memory.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::circuit::Circuit;
use super::error;
use crate::error::Error;

#[derive(Debug)]
pub(in crate::store) struct Admission {
    free: Semaphore,
    waiting: AtomicUsize,
}

impl Admission {
    pub(in crate::store) fn new(permits: u32) -> Self {
        Self {
            free: Semaphore::new(permits as usize),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits until `end` for a permit. On a timeout the error is an outage if no statement at all was answered in that
    /// time, and overload otherwise.
    pub(in crate::store) async fn admit(
        &self,
        circuit: &Circuit,
        end: Instant,
    ) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(permit) = self.free.try_acquire() {
            return Ok(permit);
        }
        let (began, answers) = (Instant::now(), circuit.enter()?);
        let ahead = self.waiting.fetch_add(1, Relaxed);
        let permit = timeout_at(end, self.free.acquire()).await;
        self.waiting.fetch_sub(1, Relaxed);
        if let Ok(Ok(permit)) = permit {
            return Ok(permit);
        }
        match circuit.answers() - answers {
            0 => Err(error::timed_out()),
            answers => Err(overloaded(ahead, answers, began.elapsed())),
        }
    }
}

/// Retry hint: how long the queue takes to drain at the pace just observed.
fn overloaded(ahead: usize, answers: u64, took: Duration) -> Error {
    const LONGEST_MS: u64 = 60_000;
    let took = u64::try_from(took.as_millis()).unwrap_or(LONGEST_MS);
    let wait = took.saturating_mul(ahead as u64) / answers.max(1);
    Error::Overloaded {
        retry_after_ms: wait.clamp(1, LONGEST_MS),
    }
}
