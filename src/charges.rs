//! What requests were charged, so that it can be settled later at what they have really cost.
//!
//! Nothing is kept of a charge until it is settled: its handle says everything, and is authenticated, so that nobody can make one.

mod handle;
mod settled;

pub use handle::{Charge, LimitCharge, Written};
pub use settled::Attempt;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sophra_primitives::Sealer;

use self::settled::Settled;
use crate::cache::CacheKey;

/// The time within which a charge can be settled.
const SETTLED_WITHIN: Duration = Duration::from_secs(15 * 60);

/// The charges of this process.
pub struct Charges {
    sealer: Sealer,
    /// The number of the next charge.
    next: AtomicU64,
    start: Instant,
    settled: Mutex<Settled>,
}

impl Charges {
    /// Authenticates handles with the secret.
    #[must_use]
    pub fn new(secret: [u8; 16], now: Instant) -> Self {
        Self {
            sealer: Sealer::new(secret),
            next: AtomicU64::new(0),
            start: now,
            settled: Mutex::default(),
        }
    }

    /// Begins to write what a request was charged that presented the key: its cost, whether that is a sum, and its tag, which is
    /// empty for none.
    pub fn write(
        &self,
        key: CacheKey,
        shape: u32,
        (cost, is_sum): (u64, bool),
        tag: &str,
        now: Instant,
    ) -> Written {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut written = Written::begin(number, self.micros(now), key, shape);
        written.request(cost, is_sum, tag);
        written
    }

    /// The handle of what was written; `None` if that is too much for one.
    pub fn handle(&self, written: Written) -> Option<String> {
        written.sealed(&self.sealer)
    }

    /// What a handle says; `None` if it is none of this process.
    pub fn read(&self, handle: &str) -> Option<Charge> {
        Charge::read(handle, &self.sealer)
    }

    /// The time since the request was charged, or a little less: what is still charged must be given back to the last unit.
    pub fn age(&self, charge: &Charge, now: Instant) -> Duration {
        let age = self.micros(now).saturating_sub(charge.at_us);
        Duration::from_micros(age.saturating_sub(1))
    }

    /// The number of the next charge.
    pub fn next_number(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Notes that a charge is settled.
    pub fn begin(&self, charge: &Charge, now: Instant) -> Attempt {
        if self.age(charge, now) > SETTLED_WITHIN {
            return Attempt::TooLate;
        }
        let recent = now.checked_sub(SETTLED_WITHIN);
        self.settled.lock().add(charge.number, now, recent)
    }

    /// Ends the first attempt. Without success, nothing was settled after all.
    pub fn end(&self, charge: &Charge, is_settled: bool) {
        self.settled.lock().end(charge.number, is_settled);
    }

    fn micros(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.start).as_micros();
        u64::try_from(since).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;
