//! Counters that take no lock.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

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

/// The number of times that something was done, and their total duration.
#[derive(Debug, Default)]
pub struct Timed {
    pub(super) count: Counter,
    pub(super) nanos: Counter,
}

impl Timed {
    pub fn observe(&self, taken: Duration) {
        self.nanos.add(nanos(taken));
        self.count.add(1);
    }
}

/// Counters by the values of a label, which are all known in advance.
#[derive(Debug)]
pub struct Counts(Vec<(&'static str, Counter)>);

impl Counts {
    pub(super) fn of(values: impl IntoIterator<Item = &'static str>) -> Self {
        let counter = |value| (value, Counter::default());
        Self(values.into_iter().map(counter).collect())
    }

    /// Counts the value; an unknown one counts as the last.
    pub fn count(&self, value: &str) {
        let counted = self.0.iter().find(|(known, _)| *known == value);
        if let Some((_, counter)) = counted.or(self.0.last()) {
            counter.add(1);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0
            .iter()
            .map(|(value, counter)| (*value, counter.get()))
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
