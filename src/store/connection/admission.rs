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
    /// Lookups of presented keys: as many as a few shared statements look up.
    Lookup,
    /// Lookups of strings that only the table can tell from legacy keys: a part of a statement. Anyone can make up such
    /// strings.
    Legacy,
    /// Verifies of admin tokens: the whole pool.
    Verify,
    /// Administration, lists and the audit log: half of the pool. A change may wait for a lock, and a list takes long.
    Manage,
}

/// Lookups that wait for a statement or its answer, at most. All others wait in less memory.
const LOOKUPS: u32 = 512;
const LEGACY_LOOKUPS: u32 = 16;

#[derive(Debug)]
pub(in crate::store) struct Shares {
    lookup: Admission,
    legacy: Admission,
    verify: Admission,
    manage: Admission,
}

impl Shares {
    pub(in crate::store) fn of(pool: u32) -> Self {
        Self {
            lookup: Admission::new(LOOKUPS),
            legacy: Admission::new(LEGACY_LOOKUPS),
            verify: Admission::new(pool),
            manage: Admission::new(pool / 2),
        }
    }

    pub(in crate::store) fn of_kind(&self, share: Share) -> &Admission {
        match share {
            Share::Lookup => &self.lookup,
            Share::Legacy => &self.legacy,
            Share::Verify => &self.verify,
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
        Err(in_vain(circuit, answers, ahead, began))
    }
}

/// The error of a call that has waited in vain behind this many others: an outage if no statement at all was answered
/// meanwhile, and overload otherwise.
pub(in crate::store) fn in_vain(
    circuit: &Circuit,
    answers_before: u64,
    ahead: usize,
    began: Instant,
) -> Error {
    match circuit.answers() - answers_before {
        0 => error::timed_out(),
        answers => overloaded(ahead, answers, began.elapsed()),
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
