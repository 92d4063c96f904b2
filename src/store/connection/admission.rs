//! Admission permits, for which calls wait without a connection: each kind of call has a share of the pool, so that no
//! kind takes the last connection from verifies, and a storm waits in little memory.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::circuit::Circuit;
use super::error;
use crate::error::Error;

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// Verifies of keys and admin tokens: the whole pool.
    Verify,
    /// Verifies of strings that only the table can tell from legacy keys: a quarter. Anyone can make up such strings.
    Legacy,
    /// Administration, lists and the audit log: half of the pool. A change may wait for a lock, and a list takes long.
    Manage,
}

#[derive(Debug)]
pub(in crate::store) struct Shares {
    verify: Admission,
    legacy: Admission,
    manage: Admission,
}

impl Shares {
    pub(in crate::store) fn of(pool: u32) -> Self {
        Self {
            verify: Admission::new(pool),
            legacy: Admission::new(pool / 4),
            manage: Admission::new(pool / 2),
        }
    }

    pub(in crate::store) fn of_kind(&self, share: Share) -> &Admission {
        match share {
            Share::Verify => &self.verify,
            Share::Legacy => &self.legacy,
            Share::Manage => &self.manage,
        }
    }
}

#[derive(Debug)]
pub(in crate::store) struct Admission {
    free: Semaphore,
    waiting: AtomicUsize,
}

impl Admission {
    fn new(permits: u32) -> Self {
        Self {
            free: Semaphore::new(permits.max(1) as usize),
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
