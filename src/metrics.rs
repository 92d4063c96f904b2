//! What Prometheus is told: counters of the process, which never go back whatever is started and closed in it, and
//! the state of the service that runs.
//!
//! A verify from memory adds one to one counter, and to one more where clients are told apart. Nothing here takes a lock on
//! that path, nor asks a clock but for the verifies that are timed.

mod clients;
mod histogram;
mod report;
mod state;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::lock::locked;
use crate::model::Refusal;

pub use clients::{ClientUses, Clients};
pub use histogram::Histogram;
pub use state::{Gauges, State, Totals};

/// Faults of a verify, whoever's it is.
const FAULTS: [&str; 5] = [
    "INVALID_INPUT",
    "DATABASE_UNAVAILABLE",
    "OVERLOADED",
    "CONFIGURATION",
    "INTERNAL",
];

/// Results of a verify that are no faults: it is valid, or refused for one of the reasons.
const OUTCOMES: usize = Refusal::ALL.len() + 1;
const VALID: &str = "VALID";

/// Of so many verifies from memory one is timed: reading the clock twice would cost more than all that is counted here.
pub const TIMED_EVERY: u32 = 64;

/// One for a process.
#[derive(Debug)]
pub struct Metrics {
    /// Verifies that memory answered, by the number of their outcome; see [`Metrics::hit`].
    hits: [AtomicU64; OUTCOMES],
    /// All other verifies.
    pub verifies: Counts,
    pub admin_verifies: Counts,
    /// Looks into the cache beside those of `hits`.
    pub lookups: Counts,
    /// Of those that need no I/O; one of [`TIMED_EVERY`].
    pub warm: Histogram,
    /// Of those that ask the database.
    pub cold: Histogram,
    pub clients: Clients,
    pub suspensions: Counter,
    pub flushes: Timed,
    pub flush_failures: Counter,
    /// What services that are closed have counted themselves.
    closed: Mutex<Totals>,
}

impl Default for Metrics {
    fn default() -> Self {
        let reasons = Refusal::ALL.into_iter().map(Refusal::code);
        let admin_reasons = ["INVALID_TOKEN", "INSUFFICIENT_PERMISSION"];
        let results = |reasons: Vec<&'static str>| {
            Counts::of([VALID].into_iter().chain(reasons).chain(FAULTS))
        };
        Self {
            hits: Default::default(),
            verifies: results(reasons.collect()),
            admin_verifies: results(admin_reasons.into()),
            lookups: Counts::of(["hit", "stale", "miss"]),
            warm: Histogram::default(),
            cold: Histogram::default(),
            clients: Clients::default(),
            suspensions: Counter::default(),
            flushes: Timed::default(),
            flush_failures: Counter::default(),
            closed: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts a verify that memory answered: by 0 as valid, else by the number of the refusal.
    pub fn hit(&self, outcome: u8) {
        if let Some(count) = self.hits.get(usize::from(outcome)) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Keeps what a service has counted that is closed now.
    pub fn retire(&self, totals: Totals) {
        locked(&self.closed).add(totals);
    }
}

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How often something was done, and how long all of it took.
#[derive(Debug, Default)]
pub struct Timed {
    count: Counter,
    nanos: Counter,
}

impl Timed {
    pub fn observe(&self, taken: Duration) {
        self.nanos.add(nanos(taken));
        self.count.add(1);
    }
}

/// Counters by the values of a label, all of which are known.
#[derive(Debug)]
pub struct Counts(Vec<(&'static str, Counter)>);

impl Counts {
    fn of(values: impl IntoIterator<Item = &'static str>) -> Self {
        let counter = |value| (value, Counter::default());
        Self(values.into_iter().map(counter).collect())
    }

    /// What is none of the values counts as the last one.
    pub fn count(&self, value: &str) {
        let counted = self.0.iter().find(|(known, _)| *known == value);
        if let Some((_, counter)) = counted.or(self.0.last()) {
            counter.add(1);
        }
    }

    fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0
            .iter()
            .map(|(value, counter)| (*value, counter.get()))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
