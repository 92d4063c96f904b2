//! The health of the addon, for operators.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::config::Adopt;
use crate::error::Error;
use crate::self_check::{self, Problems};
use crate::service::Service;
use crate::store::Condition;

/// The result of `health`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub status: HealthStatus,
    /// The problems found; empty if there are none.
    pub problems: Vec<String>,
    pub stale_for_ms: u64,
    pub usage_pending: u64,
    /// The interval in which uses are stored; 0 if no service is running.
    pub usage_interval_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    Ok,
    Degraded,
    Down,
}

const NARROW_USAGE_COUNT: &str = "\"usageCount\" is INTEGER, so counting stops at 2147483647. Once no instance of an older \
     implementation is running, and at a quiet time, since it rewrites the table, run ALTER TABLE \"ApiKey\" ALTER COLUMN \"usageCount\" TYPE BIGINT";

const USAGE_IS_BEHIND: &str = "Usage over time is not up to date: what was stored more than 10 minutes ago is not added up, hours are \
     not closed, or the clock of the database was set back";

const WEBHOOKS_ARE_BEHIND: &str = "Deliveries to webhooks are more than 5 minutes late, or were refused for a quarter of an hour: see the event webhook.failing, \
     or every process has webhooks: 'off'";

const PLAINTEXT_LEFT: &str = "Rows that still hold plaintext of an older implementation (they are being adopted, or cannot be \
     adopted): ";

/// A problem is reported if the change log, which is read once a second, has not been read for this long.
const STALE_MS: u64 = 5_000;

/// A problem is reported if so many flushes have failed in a row.
const FAILED_FLUSHES: u32 = 3;

/// The health of a running service.
pub async fn check(service: &Service) -> Health {
    let count_plaintext = service.config.adopt == Adopt::Hash;
    let condition = service.store.condition(count_plaintext).await;
    let stale_for = service.cache.stale_for(service.moment());
    let stale_for_ms = millis(stale_for);
    let mut problems = match &condition {
        Ok(condition) => problems_of(condition),
        Err(error) => {
            service.report(error, None);
            vec![error.to_string()]
        }
    };
    problems.extend(problems_of_flush(service));
    if stale_for_ms > STALE_MS {
        problems.push("The change log cannot be read: changes to keys by other processes may not have taken effect".to_owned());
    }
    problems.extend(found(&service.self_check.problems()));
    let status = match condition {
        Err(_) => HealthStatus::Down,
        Ok(_) if problems.is_empty() => HealthStatus::Ok,
        Ok(_) => HealthStatus::Degraded,
    };
    Health {
        status,
        problems,
        stale_for_ms,
        usage_pending: service.usage.pending(),
        usage_interval_ms: millis(service.usage.tempo().interval()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn problems_of_flush(service: &Service) -> impl Iterator<Item = String> {
    let failed = service.failed_flushes.load(Ordering::Relaxed);
    let failed = (failed >= FAILED_FLUSHES).then(|| {
        format!("The last {failed} flushes failed: usage, suspensions or entries of the audit log are not stored")
    });
    let unwritable = service.unwritable_keys.len();
    let unwritable = (unwritable > 0).then(|| {
        format!("The database refuses to update the rows of {unwritable} keys, so their usage or suspensions are not stored")
    });
    failed.into_iter().chain(unwritable)
}

/// The health if no service is running and none can be started.
#[must_use]
pub fn down(error: &Error) -> Health {
    Health {
        status: HealthStatus::Down,
        problems: vec![error.to_string()],
        stale_for_ms: 0,
        usage_pending: 0,
        usage_interval_ms: 0,
    }
}

/// What the check that runs once a minute has found.
fn found(problems: &Problems) -> impl Iterator<Item = String> {
    let Problems {
        untracked,
        missing_signing_keys,
    } = problems;
    let untracked = (!untracked.is_empty()).then(|| self_check::untracked(untracked));
    let missing = (!missing_signing_keys.is_empty())
        .then(|| self_check::missing_signing_keys(missing_signing_keys));
    untracked.into_iter().chain(missing)
}

fn problems_of(condition: &Condition) -> Vec<String> {
    /// The query counts no more rows than this.
    const COUNTED_MAX: i64 = 10_000;
    let mut problems = Vec::new();
    if condition.usage_count_is_narrow {
        problems.push(NARROW_USAGE_COUNT.to_owned());
    }
    if condition.webhooks_are_behind {
        problems.push(WEBHOOKS_ARE_BEHIND.to_owned());
    }
    if condition.usage_is_behind {
        problems.push(USAGE_IS_BEHIND.to_owned());
    }
    if condition.plaintext_rows > 0 {
        let rows = condition.plaintext_rows;
        let more = if rows < COUNTED_MAX { "" } else { " or more" };
        problems.push(format!("{PLAINTEXT_LEFT}{rows}{more}"));
    }
    problems
}

/// Counts of the work done, for tests and benchmarks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// argon2id hashes computed.
    pub hashes: u64,
    /// Reads of a row for a presented key.
    pub selects: u64,
    /// Keys in the cache.
    pub cached: usize,
}

#[must_use]
pub fn stats(service: &Service) -> Stats {
    Stats {
        hashes: service.hasher.stats().hashes,
        selects: service.store.selects(),
        cached: service.cache.len(),
    }
}
