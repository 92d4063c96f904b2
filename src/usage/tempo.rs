//! How often uses of keys are stored.

use std::time::{Duration, Instant};

use rand::RngExt;

/// A flush stores uses each interval for as long as that takes a process no more than its share of one connection's time. Beyond
/// that the interval stretches, up to a maximum.
#[derive(Debug)]
pub struct Tempo {
    shortest: Duration,
    longest: Duration,
    /// How long it took the last two times.
    costs: [Duration; 2],
    /// The processes that store uses in the same database, as far as this one has asked.
    processes: u32,
    counted_at: Option<Instant>,
    due: Option<Instant>,
}

impl Tempo {
    /// The share of a process: a tenth of a connection's time.
    const TENTH: u32 = 10;
    /// The share of all processes together, in connections.
    const CONNECTIONS: u32 = 4;
    const COUNT_INTERVAL: Duration = Duration::from_secs(60);

    #[must_use]
    pub fn new(shortest: Duration, longest: Duration) -> Self {
        Self {
            shortest,
            longest: longest.max(shortest),
            costs: [Duration::ZERO; 2],
            processes: 1,
            counted_at: None,
            due: None,
        }
    }

    /// The time from one flush of uses to the next.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let times = Self::TENTH.max(self.processes.div_ceil(Self::CONNECTIONS));
        self.cost()
            .saturating_mul(times)
            .clamp(self.shortest, self.longest)
    }

    /// How long it takes to store uses. The shorter time of the last two counts, so that a database that was slow for once
    /// stretches nothing, and one that has recovered is noticed at once.
    #[must_use]
    pub fn cost(&self) -> Duration {
        let [last, before] = self.costs;
        last.min(before)
    }

    /// Whether uses are to be stored now. If that fails they stay due.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// Notes that all uses were stored, since when, and how long the statements took.
    pub fn stored(&mut self, begun: Instant, cost: Duration) {
        self.costs = [cost, self.costs[0]];
        // A little less, so that processes which began together do not go on together.
        let parts = rand::rng().random_range(80..=100);
        self.due = Some(begun + self.interval() * parts / 100);
    }

    /// Whether to count the processes now. Where storing is cheap, no number of them that is likely changes the interval.
    pub fn begin_count(&mut self, now: Instant) -> bool {
        let is_cheap = self.cost().saturating_mul(1_000) <= self.shortest;
        let is_recent = |at| now.saturating_duration_since(at) < Self::COUNT_INTERVAL;
        if is_cheap || self.counted_at.is_some_and(is_recent) {
            return false;
        }
        self.counted_at = Some(now);
        true
    }

    /// Notes how many processes store uses.
    pub fn counted(&mut self, processes: i64) {
        self.processes = u32::try_from(processes).unwrap_or(u32::MAX).max(1);
    }
}

#[cfg(test)]
mod tests;
