//! The counters of the process.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use super::background::BackgroundTask;
use super::clients::Clients;
use super::counter::{Counter, Counts, Timed};
use super::histogram::Histogram;
use super::state::Totals;
use crate::error::Error;
use crate::model::{AdminRefusal, LeakAction, Level, Refusal, VALID};

/// Results of a verify that are not faults: valid, or one of the refusals.
const OUTCOMES: usize = Refusal::ALL.len() + 1;

/// One of this many verifies from memory is timed: reading the clock twice would cost more than all the counting here.
pub const TIMED_EVERY: u32 = 64;

/// What may become of a charge that is to be settled.
const SETTLEMENTS: [&str; 3] = ["settled", "repeated", "too_late"];

/// How an attempt to deliver to a webhook may end. The last one counts beside the failed attempt after which it is given up.
const WEBHOOK_ATTEMPTS: [&str; 3] = ["delivered", "failed", "given_up"];

/// A verify as it is counted.
#[derive(Debug, Clone, Copy)]
pub enum VerifyCount<'a> {
    /// Answered by the cache on the warm path, by the number of the outcome: an array is faster than a look-up.
    CacheHit(u8),
    /// Any other verify, by its code.
    Other(&'a str),
}

/// The counters; one instance per process.
#[derive(Debug)]
pub struct Metrics {
    /// Verifies answered from memory, by the number of their outcome; see [`Metrics::count_verify`].
    pub(super) hits: [AtomicU64; OUTCOMES],
    /// All other verifies.
    pub(super) verifies: Counts,
    pub admin_verifies: Counts,
    /// Cache lookups other than those in `hits`.
    pub lookups: Counts,
    /// Durations of verifies without I/O; one of [`TIMED_EVERY`].
    pub warm: Histogram,
    /// Durations of verifies that query the database.
    pub cold: Histogram,
    pub clients: Clients,
    /// Verifies that a limit refused, by whose limit it was.
    pub limit_refusals: Counts,
    /// Verifies that a quota refused, by whose quota it was.
    pub quota_refusals: Counts,
    /// Statements that leased, reported or gave back units of quotas.
    pub quota_statements: Counter,
    /// Charges that were to be settled, by what became of that.
    pub settlements: Counts,
    pub suspensions: Counter,
    /// Replaced keys that were presented after their grace period.
    pub reused_keys: Counter,
    /// Replaced keys that were used within a day before their grace period ends.
    pub previous_keys_still_used: Counter,
    /// Reports of keys that have leaked, by what became of the key.
    pub leaked_keys: Counts,
    /// Revoked keys that were purged.
    pub purged_keys: Counter,
    /// Tokens that were derived from keys.
    pub derived_tokens: Counter,
    /// Attempts to deliver to webhooks, by how they ended.
    pub webhook_attempts: Counts,
    pub flushes: Timed,
    pub flush_failures: Counter,
    pub background_failures: Counts,
    /// The totals of closed services.
    pub(super) closed: Mutex<Totals>,
}

impl Default for Metrics {
    fn default() -> Self {
        let reasons = Refusal::ALL.into_iter().map(Refusal::code);
        let admin_reasons = AdminRefusal::ALL.into_iter().map(AdminRefusal::code);
        let results = |reasons: Vec<&'static str>| {
            Counts::of(
                [VALID]
                    .into_iter()
                    .chain(reasons)
                    .chain(Error::VERIFY_CODES),
            )
        };
        Self {
            hits: Default::default(),
            verifies: results(reasons.collect()),
            admin_verifies: results(admin_reasons.collect()),
            lookups: Counts::of(["hit", "stale", "miss"]),
            warm: Histogram::default(),
            cold: Histogram::default(),
            clients: Clients::default(),
            limit_refusals: Counts::of(Level::ALL.map(Level::name)),
            quota_refusals: Counts::of(Level::ALL.map(Level::name)),
            quota_statements: Counter::default(),
            settlements: Counts::of(SETTLEMENTS),
            suspensions: Counter::default(),
            reused_keys: Counter::default(),
            previous_keys_still_used: Counter::default(),
            leaked_keys: Counts::of(LeakAction::ALL.map(LeakAction::name)),
            purged_keys: Counter::default(),
            derived_tokens: Counter::default(),
            webhook_attempts: Counts::of(WEBHOOK_ATTEMPTS),
            flushes: Timed::default(),
            flush_failures: Counter::default(),
            background_failures: Counts::of(BackgroundTask::ALL.map(BackgroundTask::name)),
            closed: Mutex::default(),
        }
    }
}

impl Metrics {
    /// Counts a verify: the one place that does. `outcome` is 0 for a valid key, else the number of the refusal.
    pub fn count_verify(&self, counted: VerifyCount<'_>) {
        match counted {
            VerifyCount::CacheHit(outcome) => {
                if let Some(count) = self.hits.get(usize::from(outcome)) {
                    count.fetch_add(1, Relaxed);
                }
            }
            VerifyCount::Other(code) => self.verifies.count(code),
        }
    }

    /// Adds the totals of a service that is now closed.
    pub fn retire(&self, totals: Totals) {
        self.closed.lock().add(totals);
    }
}

#[cfg(test)]
mod tests;
