//! The findings on access to the database: URLs, poolers, server, clock, notifications.

use super::findings::Findings;
use crate::config::{Config, DatabaseUrl};
use crate::model::Escaped;
use crate::service::Clock;
use crate::store::{Store, connect};

/// The oldest supported version: the first with `xid8` and `pg_current_snapshot()`.
const OLDEST: i32 = 130_000;
/// Differences between the clocks: one that people notice, and one that makes expiry wrong by minutes.
const CLOCK_WARNING_MS: u64 = 2_000;
const CLOCK_PROBLEM_MS: u64 = 60_000;

/// Examines both URLs. Returns whether the first one can be examined further.
pub(super) async fn examine(findings: &mut Findings, config: &Config) -> bool {
    let reached = reach(
        findings,
        "connection",
        "DATABASE_URL",
        &config.database_url,
        config,
    )
    .await;
    let direct = config.direct_database_url.as_ref();
    if let Some(url) = direct {
        reach(
            findings,
            "direct-connection",
            "DIRECT_DATABASE_URL",
            url,
            config,
        )
        .await;
        if url.pooled {
            findings.warning(
                "direct-connection",
                "DIRECT_DATABASE_URL has pgbouncer=true, but its purpose is to bypass the pooler",
                "Set it to the address of the server itself, without pgbouncer=true",
            );
        }
    }
    if reached && config.database_url.pooled && direct.is_none() {
        findings.warning(
            "pooler",
            "DATABASE_URL goes through a pooler and DIRECT_DATABASE_URL is not set: migrations cannot run, and \
             changes by other processes take effect after a second instead of at once",
            "Set DIRECT_DATABASE_URL to the address of the server itself",
        );
    }
    reached
}

async fn reach(
    findings: &mut Findings,
    check: &'static str,
    variable: &str,
    url: &DatabaseUrl,
    config: &Config,
) -> bool {
    let place = format!("{} ({variable})", url.place());
    parameters(findings, variable, url);
    match connect(url, config.statement_timeout).await {
        Ok(access) if access.keeps_settings || url.pooled => {
            findings.ok(check, format!("{place} answers"));
            true
        }
        Ok(_) => {
            findings.problem(
                "pooler",
                format!("{place} is a pooler that ignores session settings"),
                POOLER_REMEDY,
            );
            true
        }
        Err((message, remedy)) => {
            findings.problem(check, format!("{place}: {message}"), remedy);
            false
        }
    }
}

const POOLER_REMEDY: &str = "Add pgbouncer=true to the query string of DATABASE_URL, and set DIRECT_DATABASE_URL to \
    the address of the server itself";

/// Names the parameters of a URL that have no effect.
fn parameters(findings: &mut Findings, variable: &str, url: &DatabaseUrl) {
    let list = |names: &[Escaped]| {
        names
            .iter()
            .map(Escaped::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !url.unknown.is_empty() {
        findings.warning(
            "parameters",
            format!(
                "{variable} has unknown parameters, which are ignored: {}",
                list(&url.unknown)
            ),
            "Check how they are spelt, or remove them",
        );
    } else if !url.ignored.is_empty() {
        findings.ok(
            "parameters",
            format!(
                "{variable} has parameters that are ignored: {}",
                list(&url.ignored)
            ),
        );
    }
}

/// Examines the server: its version, whether it accepts writes, and its clock.
pub(super) async fn server(findings: &mut Findings, store: &Store, clock: Clock) {
    let before = clock();
    let answer = store.server().await;
    let after = clock();
    let Some(server) = findings.answer("server", answer) else {
        return;
    };
    if server.version < OLDEST {
        findings.problem(
            "server",
            format!("PostgreSQL {} is too old", server.version_text),
            "Upgrade to PostgreSQL 13 or newer",
        );
    } else if server.is_standby || server.is_read_only {
        findings.problem(
            "server",
            "The server accepts no writes: it is a standby, or read-only by default",
            "Point DATABASE_URL at the primary, or name all servers in it (host1:5432,host2:5432), or set \
             default_transaction_read_only to off",
        );
    } else {
        findings.ok("server", format!("PostgreSQL {}", server.version_text));
    }
    // The server read its clock between our two readings, so only a time outside of them is a difference.
    let difference = server
        .now
        .millis_after(after)
        .max(before.millis_after(server.now));
    let message =
        format!("The clocks of this machine and the database server differ by {difference} ms");
    let remedy = "Synchronise both with a time server: each process checks expiry by its own clock";
    if difference > CLOCK_PROBLEM_MS {
        findings.problem("clock", message, remedy);
    } else if difference > CLOCK_WARNING_MS {
        findings.warning("clock", message, remedy);
    } else {
        findings.ok(
            "clock",
            "The clocks of this machine and the database server agree",
        );
    }
}

/// Examines whether notifications arrive.
pub(super) async fn notifications(findings: &mut Findings, store: &Store) {
    match store.notifications_arrive().await {
        None => findings.ok(
            "notifications",
            "LISTEN is not used behind a pooler: the change log is read once a second instead",
        ),
        Some(Ok(true)) => findings.ok("notifications", "A test notification arrived"),
        Some(Ok(false) | Err(_)) => findings.warning(
            "notifications",
            "Notifications do not arrive: changes by other processes take effect after a second instead of at once",
            "If there is a pooler in between, set DIRECT_DATABASE_URL to the address of the server itself",
        ),
    }
}
