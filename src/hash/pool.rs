//! Permits, the queue before them, and memory to lend.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use argon2::Block;
use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_blocking;

use super::HashParams;
use crate::error::Error;
use crate::lock::locked;

/// Work that may be ahead of a caller, in nanoseconds: 2 s. Beyond it the answer is
/// [`Error::Overloaded`].
const MAX_BACKLOG_NS: u64 = 2_000_000_000;

/// The longest that a caller is sent away for, in nanoseconds: 1 min.
const MAX_AWAY_NS: u64 = 60_000_000_000;

/// What a pass over one KiB takes about, in nanoseconds; used until there are measurements.
const EXPECTED_NS_PER_KIB: u64 = 250;

/// The pool's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashStats {
    /// Hashes computed since the start.
    pub hashes: u64,
    /// Hashes waiting and running now.
    pub queued: usize,
    /// What all of them took, in nanoseconds.
    pub busy_ns: u64,
    /// Moving average of the time of one hash, in microseconds; an estimate before the first one.
    pub mean_us: u64,
}

/// Runs hashes on Tokio's blocking threads, and lends them memory.
pub(super) struct Pool {
    params: HashParams,
    permits: usize,
    semaphore: Arc<Semaphore>,
    /// Memory of the configured size that nobody uses; never more than `permits`.
    buffers: Mutex<Vec<Vec<Block>>>,
    queued: AtomicUsize,
    hashes: AtomicU64,
    busy_ns: AtomicU64,
    mean_ns: AtomicU64,
    start: Instant,
    /// When the last caller that was sent away may come, in nanoseconds since `start`.
    promised_ns: AtomicU64,
    /// For work that has time: fewer than permits, where there are several.
    turns: Arc<Semaphore>,
    /// No caller waits for a hash any more.
    idle: Notify,
}

impl Pool {
    pub(super) fn new(params: HashParams, permits: usize) -> Self {
        let permits = permits.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            params,
            permits,
            semaphore: Arc::new(Semaphore::new(permits)),
            buffers: Mutex::default(),
            queued: AtomicUsize::new(0),
            hashes: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            mean_ns: AtomicU64::new(expected_ns(params)),
            start: Instant::now(),
            promised_ns: AtomicU64::new(0),
            turns: Arc::new(Semaphore::new((permits - 1).max(1))),
            idle: Notify::new(),
        }
    }

    /// Runs `job` with memory for `params` when a permit is free.
    ///
    /// A caller that goes while it waits gives its place back. Once the job runs, place and permit
    /// are the job's: they are free when the core is, whether or not the caller is still there.
    pub(super) async fn run<T, F>(pool: &Arc<Self>, params: HashParams, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut [Block]) -> T + Send + 'static,
    {
        let place = Place::take(pool)?;
        let permit = Arc::clone(&pool.semaphore).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Internal("The hashing pool is closed".into()))?;
        let work = move || {
            let _permit = permit;
            place.0.measure(params, job)
        };
        // The text of a panic may quote what was hashed, so it is left out.
        spawn_blocking(work)
            .await
            .map_err(|_| Error::Internal("Hashing was aborted".into()))
    }

    /// Runs `job`, which has time, while no caller has a hash waiting or running. Where there are several permits one
    /// is never taken for such work, so that a caller who comes meanwhile need not wait.
    pub(super) async fn run_when_idle<T, F>(
        pool: &Arc<Self>,
        params: HashParams,
        job: F,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut [Block]) -> T + Send + 'static,
    {
        let turn = Arc::clone(&pool.turns).acquire_owned().await;
        let turn = turn.map_err(|_| Error::Internal("The hashing pool is closed".into()))?;
        let permit = loop {
            let mut idle = std::pin::pin!(pool.idle.notified());
            // Before the look, so that nothing is missed between it and the wait.
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
            // The permit goes first: whoever has a turn next finds it.
            let (_turn, _permit) = (turn, permit);
            pool.measure(params, job)
        };
        spawn_blocking(work)
            .await
            .map_err(|_| Error::Internal("Hashing was aborted".into()))
    }

    pub(super) fn stats(&self) -> HashStats {
        HashStats {
            hashes: self.hashes.load(Relaxed),
            queued: self.queued.load(Relaxed),
            busy_ns: self.busy_ns.load(Relaxed),
            mean_us: self.mean_ns.load(Relaxed) / 1_000,
        }
    }

    fn measure<T>(&self, params: HashParams, job: impl FnOnce(&mut [Block]) -> T) -> T {
        let started = Instant::now();
        let result = self.lend(params, job);
        self.record(nanos(started.elapsed()));
        result
    }

    /// A fresh buffer costs as much as the hash, hence the pool. Larger ones than configured, for
    /// old rows, are not kept.
    fn lend<T>(&self, params: HashParams, job: impl FnOnce(&mut [Block]) -> T) -> T {
        let (needed, kept) = (params.blocks(), self.params.blocks());
        if needed > kept {
            return job(&mut vec![Block::new(); needed]);
        }
        let spare = locked(&self.buffers).pop();
        let mut buffer = spare.unwrap_or_else(|| vec![Block::new(); kept]);
        let result = job(&mut buffer);
        locked(&self.buffers).push(buffer);
        result
    }

    /// Moves the mean by an eighth of the difference.
    fn record(&self, taken_ns: u64) {
        let toward = |mean: u64| Some(mean - mean / 8 + taken_ns / 8);
        let _ = self.mean_ns.fetch_update(Relaxed, Relaxed, toward);
        self.busy_ns.fetch_add(taken_ns, Relaxed);
        self.hashes.fetch_add(1, Relaxed);
    }

    pub(super) fn admit(&self, ahead: usize) -> Result<(), Error> {
        match self.backlog_ns(ahead) {
            0..=MAX_BACKLOG_NS => Ok(()),
            backlog_ns => Err(self.send_away(backlog_ns)),
        }
    }

    /// Beyond the backlog are those who were sent away before and will come: each gets a moment of its own, one hash
    /// after the other, so that they do not all come at once, and most of them in vain.
    fn send_away(&self, backlog_ns: u64) -> Error {
        let now = nanos(self.start.elapsed());
        let (first, last) = (now + backlog_ns, now + backlog_ns.max(MAX_AWAY_NS));
        let step = self.backlog_ns(1);
        let promise = |promised: u64| Some(promised.saturating_add(step).clamp(first, last));
        let promised = self.promised_ns.fetch_update(Relaxed, Relaxed, promise);
        let promised = promised.ok().and_then(promise).unwrap_or(first);
        Error::Overloaded {
            retry_after_ms: (promised - now).div_ceil(1_000_000),
        }
    }

    /// Nanoseconds until `queued` hashes are done.
    fn backlog_ns(&self, queued: usize) -> u64 {
        let work = self.mean_ns.load(Relaxed).saturating_mul(queued as u64);
        work / self.permits as u64
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("permits", &self.permits)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

/// A place in the queue, given back when dropped.
struct Place(Arc<Pool>);

impl Place {
    fn take(pool: &Arc<Pool>) -> Result<Self, Error> {
        let join = |queued| (pool.backlog_ns(queued) <= MAX_BACKLOG_NS).then_some(queued + 1);
        match pool.queued.fetch_update(Relaxed, Relaxed, join) {
            Ok(_) => Ok(Self(Arc::clone(pool))),
            Err(queued) => Err(pool.send_away(pool.backlog_ns(queued))),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.queued.fetch_sub(1, Relaxed) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn expected_ns(params: HashParams) -> u64 {
    u64::from(params.memory_kib()) * u64::from(params.iterations()) * EXPECTED_NS_PER_KIB
}
