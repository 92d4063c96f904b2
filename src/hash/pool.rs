//! Permits, the queue for them, and reusable buffers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use argon2::Block;
use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_blocking;

use parking_lot::Mutex;

use crate::error::Error;
use crate::model::HashParams;

/// The largest backlog ahead of a caller, in nanoseconds: 2 s. Beyond it the caller gets [`Error::Overloaded`].
const MAX_BACKLOG_NS: u64 = 2_000_000_000;

/// The longest retry hint, in nanoseconds: 1 min.
const MAX_RETRY_AFTER_NS: u64 = 60_000_000_000;

/// The expected time of a pass over one KiB, in nanoseconds; used until there are measurements.
const EXPECTED_NS_PER_KIB: u64 = 250;

/// The pool's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashStats {
    /// Hashes computed since the start.
    pub hashes: u64,
    /// Hashes that wait or run now.
    pub queued: usize,
    /// The time of all hashes computed, in nanoseconds.
    pub busy_ns: u64,
    /// Moving average of the time of one hash with the configured parameters, in microseconds; an estimate before the first one.
    pub mean_us: u64,
}

/// Runs hashes on Tokio's blocking threads, with reusable memory.
pub(super) struct HashPool {
    params: HashParams,
    permits: usize,
    semaphore: Arc<Semaphore>,
    /// Free buffers of the configured size; never more than `permits`.
    buffers: Mutex<Vec<Vec<Block>>>,
    queued: AtomicUsize,
    /// As many hashes with the configured parameters take as long as those that wait or run.
    queued_units: AtomicUsize,
    /// The number of reserved hashes.
    reserved: AtomicUsize,
    hashes: AtomicU64,
    busy_ns: AtomicU64,
    mean_ns: AtomicU64,
    start: Instant,
    /// The retry time given to the caller that was rejected last, in nanoseconds since `start`.
    last_retry_ns: AtomicU64,
    /// Permits for background work: one fewer than all, unless there is only one.
    background_permits: Arc<Semaphore>,
    /// Notified when the last caller has its hash.
    idle: Notify,
}

impl HashPool {
    pub(super) fn new(params: HashParams, permits: usize) -> Self {
        let permits = permits.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            params,
            permits,
            semaphore: Arc::new(Semaphore::new(permits)),
            buffers: Mutex::default(),
            queued: AtomicUsize::new(0),
            queued_units: AtomicUsize::new(0),
            reserved: AtomicUsize::new(0),
            hashes: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            mean_ns: AtomicU64::new(expected_ns(params)),
            start: Instant::now(),
            last_retry_ns: AtomicU64::new(0),
            background_permits: Arc::new(Semaphore::new((permits - 1).max(1))),
            idle: Notify::new(),
        }
    }

    /// Runs `job`, which is expected to take so many nanoseconds, with memory for `params` once a permit is free.
    ///
    /// A caller that is dropped while it waits gives its slot back. Once the job runs, slot and permit belong to the
    /// job: they are released when the core is free, whether or not the caller still exists.
    pub(super) async fn run<T, F>(
        pool: &Arc<Self>,
        params: HashParams,
        expected_ns: u64,
        job: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut [Block]) -> T + Send + 'static,
    {
        let slot = QueueSlot::take(pool, pool.units(expected_ns))?;
        let permit = Arc::clone(&pool.semaphore).acquire_owned().await;
        let permit = permit.map_err(|_| Error::internal("The hashing pool is closed"))?;
        let work = move || {
            let _permit = permit;
            slot.pool.measure(params, slot.units, job)
        };
        // The text of a panic may quote the key, so it is left out.
        spawn_blocking(work)
            .await
            .map_err(|_| Error::internal("Hashing was aborted"))
    }

    /// Runs a background `job` while no caller's hash waits or runs. With several permits, one is never used for
    /// background work, so that a caller that arrives later need not wait.
    pub(super) async fn run_when_idle<T, F>(
        pool: &Arc<Self>,
        params: HashParams,
        job: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut [Block]) -> T + Send + 'static,
    {
        let background = Arc::clone(&pool.background_permits).acquire_owned().await;
        let background = background.map_err(|_| Error::internal("The hashing pool is closed"))?;
        let permit = loop {
            let mut idle = std::pin::pin!(pool.idle.notified());
            // Enabled before the check, so that no notification is missed between the check and the wait.
            idle.as_mut().enable();
            if pool.queued.load(Relaxed) == 0
                && let Ok(permit) = Arc::clone(&pool.semaphore).try_acquire_owned()
            {
                break permit;
            }
            idle.await;
        };
        let pool = Arc::clone(pool);
        let work = move || {
            // Dropped in reverse order, so that the permit is free before the background permit.
            let (_background, _permit) = (background, permit);
            pool.measure(params, 1, job)
        };
        spawn_blocking(work)
            .await
            .map_err(|_| Error::internal("Hashing was aborted"))
    }

    pub(super) fn stats(&self) -> HashStats {
        HashStats {
            hashes: self.hashes.load(Relaxed),
            queued: self.queued.load(Relaxed),
            busy_ns: self.busy_ns.load(Relaxed),
            mean_us: self.mean_ns.load(Relaxed) / 1_000,
        }
    }

    fn measure<T>(
        &self,
        params: HashParams,
        units: usize,
        job: impl FnOnce(&mut [Block]) -> T,
    ) -> T {
        let started = Instant::now();
        let result = self.with_buffer(params, job);
        self.record(nanos(started.elapsed()), units);
        result
    }

    /// Reuses buffers, since a fresh one costs as much as the hash. A buffer larger than the configured size, for a
    /// legacy row, is not kept.
    fn with_buffer<T>(&self, params: HashParams, job: impl FnOnce(&mut [Block]) -> T) -> T {
        let (needed, kept) = (blocks(params), blocks(self.params));
        if needed > kept {
            return job(&mut vec![Block::new(); needed]);
        }
        let spare = self.buffers.lock().pop();
        let mut buffer = spare.unwrap_or_else(|| vec![Block::new(); kept]);
        let result = job(&mut buffer);
        self.buffers.lock().push(buffer);
        result
    }

    /// Moves the mean by an eighth of the difference.
    fn record(&self, taken_ns: u64, units: usize) {
        let toward = |mean: u64| Some(mean - mean / 8 + taken_ns / units as u64 / 8);
        let _ = self.mean_ns.fetch_update(Relaxed, Relaxed, toward);
        self.busy_ns.fetch_add(taken_ns, Relaxed);
        self.hashes.fetch_add(1, Relaxed);
    }

    /// Callers turned away earlier will return; each gets its own slot, one hash after the other, so that they do not
    /// all retry at once.
    fn reject(&self, backlog_ns: u64) -> Error {
        let now = nanos(self.start.elapsed());
        let (first, last) = (now + backlog_ns, now + backlog_ns.max(MAX_RETRY_AFTER_NS));
        let step = self.backlog_ns(1);
        let promise = |promised: u64| Some(promised.saturating_add(step).clamp(first, last));
        let promised = self.last_retry_ns.fetch_update(Relaxed, Relaxed, promise);
        let promised = promised.ok().and_then(promise).unwrap_or(first);
        Error::Overloaded {
            retry_after_ms: (promised - now).div_ceil(1_000_000),
        }
    }

    /// As many hashes with the configured parameters take so long.
    fn units(&self, expected: u64) -> usize {
        usize::try_from(expected / expected_ns(self.params)).map_or(1, |units| units.max(1))
    }

    /// Nanoseconds until `queued` hashes are done.
    fn backlog_ns(&self, queued: usize) -> u64 {
        let work = self.mean_ns.load(Relaxed).saturating_mul(queued as u64);
        work / self.permits as u64
    }
}

impl fmt::Debug for HashPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashPool")
            .field("permits", &self.permits)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// A reserved hash, released when dropped.
#[derive(Debug)]
pub struct Reservation(Arc<HashPool>);

impl Reservation {
    pub(super) fn take(pool: &Arc<HashPool>) -> Result<Self, Error> {
        let join = |reserved| (pool.backlog_ns(reserved) <= MAX_BACKLOG_NS).then_some(reserved + 1);
        match pool.reserved.fetch_update(Relaxed, Relaxed, join) {
            Ok(_) => Ok(Self(Arc::clone(pool))),
            Err(reserved) => Err(pool.reject(pool.backlog_ns(reserved))),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.reserved.fetch_sub(1, Relaxed);
    }
}

/// A slot in the queue, released when dropped.
struct QueueSlot {
    pool: Arc<HashPool>,
    units: usize,
}

impl QueueSlot {
    fn take(pool: &Arc<HashPool>, units: usize) -> Result<Self, Error> {
        let join = |queued| (pool.backlog_ns(queued) <= MAX_BACKLOG_NS).then_some(queued + units);
        match pool.queued_units.fetch_update(Relaxed, Relaxed, join) {
            Ok(_) => {
                pool.queued.fetch_add(1, Relaxed);
                Ok(Self {
                    pool: Arc::clone(pool),
                    units,
                })
            }
            Err(queued) => Err(pool.reject(pool.backlog_ns(queued))),
        }
    }
}

impl Drop for QueueSlot {
    fn drop(&mut self) {
        self.pool.queued_units.fetch_sub(self.units, Relaxed);
        if self.pool.queued.fetch_sub(1, Relaxed) == 1 {
            self.pool.idle.notify_waiters();
        }
    }
}

/// The number of 1 KiB blocks that a hash needs.
fn blocks(params: HashParams) -> usize {
    params.memory_kib() as usize
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The time that a hash is expected to take, in nanoseconds.
pub(super) fn expected_ns(params: HashParams) -> u64 {
    u64::from(params.memory_kib()) * u64::from(params.iterations()) * EXPECTED_NS_PER_KIB
}

#[cfg(test)]
mod tests;
