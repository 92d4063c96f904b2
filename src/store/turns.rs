//! Turns in which verifies ask the database: a storm of them leaves connections to all else, and waits in little memory.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::{Circuit, fault};
use crate::error::Error;

#[derive(Debug)]
pub(super) struct Turns {
    free: Semaphore,
    waiting: AtomicUsize,
}

impl Turns {
    pub(super) fn new(turns: u32) -> Self {
        Self {
            free: Semaphore::new(turns as usize),
            waiting: AtomicUsize::new(0),
        }
    }

    /// A turn before `end`. Where others were answered meanwhile there was too much to do; else it is an outage.
    pub(super) async fn take(
        &self,
        circuit: &Circuit,
        end: Instant,
    ) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(turn) = self.free.try_acquire() {
            return Ok(turn);
        }
        let (began, answers) = (Instant::now(), circuit.enter()?);
        let ahead = self.waiting.fetch_add(1, Relaxed);
        let turn = timeout_at(end, self.free.acquire()).await;
        self.waiting.fetch_sub(1, Relaxed);
        if let Ok(Ok(turn)) = turn {
            return Ok(turn);
        }
        match circuit.answers() - answers {
            0 => Err(fault::timed_out()),
            answers => Err(overloaded(ahead, answers, began.elapsed())),
        }
    }
}

/// Who waits as long as the queue takes at the pace just seen does not come in vain.
fn overloaded(ahead: usize, answers: u64, took: Duration) -> Error {
    const LONGEST_MS: u64 = 60_000;
    let took = u64::try_from(took.as_millis()).unwrap_or(LONGEST_MS);
    let wait = took.saturating_mul(ahead as u64) / answers.max(1);
    Error::Overloaded {
        retry_after_ms: wait.clamp(1, LONGEST_MS),
    }
}
