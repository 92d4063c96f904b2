//! The findings on access to the database: URLs, poolers, server, clock, notifications.

use super::findings::Findings;
use crate::config::{Config, DatabaseUrl};
use crate::service::Clock;
use crate::store::{NoAccess, Store, connect};

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
    let place = format!(
        "{}:{}/{} ({variable})",
        url.connect.get_host(),
        url.connect.get_port(),
        url.connect.get_database().unwrap_or_default(),
    );
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
        Err(reason) => {
            let (message, remedy) = explain(&reason);
            findings.problem(check, format!("{place}: {message}"), remedy);
            false
        }
    }
}

const POOLER_REMEDY: &str = "Add pgbouncer=true to the query string of DATABASE_URL, and set DIRECT_DATABASE_URL to \
    the address of the server itself";

fn explain(reason: &NoAccess) -> (String, &'static str) {
    const CREDENTIALS: &str =
        "Check the user and the password in the URL, and the server's pg_hba.conf";
    let (message, remedy) = match reason {
        NoAccess::Unreachable(why) => (
            *why,
            "Check the host and port in the URL, that the server is running, and any firewall in between",
        ),
        NoAccess::Tls => (
            "the TLS connection failed: the server's certificate or its encryption is not accepted",
            "Check sslmode and sslrootcert in the query string of the URL",
        ),
        NoAccess::Unprintable => (
            "the user or the password contains characters that no server accepts",
            "Check the user and the password in the URL, including for control characters",
        ),
        NoAccess::Silent => (
            "the server did not answer in time",
            "Check the load of the server, or raise API_KEYS_STATEMENT_TIMEOUT_MS",
        ),
        NoAccess::Unknown => (
            "the response does not follow the Postgres protocol",
            "Check the host and port in the URL",
        ),
        NoAccess::Refused(code) => match code.as_str() {
            "28P01" | "28000" => ("the server rejected the user or the password", CREDENTIALS),
            "3D000" => (
                "the database does not exist",
                "Create the database, or check its name in the URL",
            ),
            "53300" => (
                "the server has no connection left",
                "Lower connection_limit or API_KEYS_POOL_MAX in your processes, or raise max_connections on the server",
            ),
            "57P03" => (
                "the server is starting up or shutting down",
                "Wait, then run doctor again",
            ),
            "08P01" => ("a pooler rejected the session settings", POOLER_REMEDY),
            "42501" => (
                "the user is not allowed to connect",
                "Run GRANT CONNECT ON DATABASE for the user in the URL",
            ),
            code => {
                let message = format!("the server refused the connection (SQLSTATE {code})");
                return (
                    message,
                    "Check the user, the password, schema and options in the URL",
                );
            }
        },
    };
    (message.to_owned(), remedy)
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
            "Point DATABASE_URL at the primary (target_session_attrs is not supported), or set \
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
