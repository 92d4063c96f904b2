//! Whether the database can be reached, and what stands in between.

use super::findings::Findings;
use crate::config::{Config, DatabaseUrl};
use crate::service::Clock;
use crate::store::{NoAccess, Store, connect};

/// The first version with `xid8` and `pg_current_snapshot()`.
const OLDEST: i32 = 130_000;
/// A difference of clocks that people notice, and one that makes expiry wrong by minutes.
const CLOCK_WARNING_MS: u64 = 2_000;
const CLOCK_PROBLEM_MS: u64 = 60_000;

/// Both URLs; whether the first one can be examined further.
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
                "DIRECT_DATABASE_URL says pgbouncer=true: it is there to go around the pooler",
                "Give it the address of the server itself, without pgbouncer=true",
            );
        }
    }
    if reached && config.database_url.pooled && direct.is_none() {
        findings.warning(
            "pooler",
            "DATABASE_URL goes through a pooler and there is no DIRECT_DATABASE_URL: no migration can run, and \
             changes by other processes are seen after a second instead of at once",
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
        "{}:{}/{} of {variable}",
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
                format!("{place} is a pooler that ignores the settings of a session"),
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

const POOLER_REMEDY: &str = "Add pgbouncer=true to the query of DATABASE_URL, and set DIRECT_DATABASE_URL to the address of the server itself";

fn explain(reason: &NoAccess) -> (String, &'static str) {
    const CREDENTIALS: &str =
        "Check the user and the password in the URL, and pg_hba.conf of the server";
    let (message, remedy) = match reason {
        NoAccess::Unreachable(why) => (
            *why,
            "Check host and port of the URL, that the server runs, and the firewall in between",
        ),
        NoAccess::Tls => (
            "the server's certificate or encryption is not accepted",
            "Check sslmode and sslrootcert in the query of the URL",
        ),
        NoAccess::Unprintable => (
            "the user or the password has characters that no server takes",
            "Check the user and the password in the URL, for control characters too",
        ),
        NoAccess::Silent => (
            "it did not answer in time",
            "Look at the load of the server, or raise API_KEYS_STATEMENT_TIMEOUT_MS",
        ),
        NoAccess::Unknown => (
            "what answers does not speak the protocol of Postgres as expected",
            "Check host and port of the URL",
        ),
        NoAccess::Refused(code) => match code.as_str() {
            "28P01" | "28000" => ("it refuses the user or the password", CREDENTIALS),
            "3D000" => (
                "there is no such database",
                "Create the database, or check its name in the URL",
            ),
            "53300" => (
                "it has no connection left",
                "Lower connection_limit or API_KEYS_POOL_MAX of the processes, or raise max_connections",
            ),
            "57P03" => ("it is starting up or shutting down", "Wait, and look again"),
            "08P01" => ("a pooler refuses the settings of a session", POOLER_REMEDY),
            "42501" => (
                "the user may not connect",
                "GRANT CONNECT ON DATABASE to the user of the URL",
            ),
            code => {
                let message = format!("it refuses the connection (SQLSTATE {code})");
                return (
                    message,
                    "Check the user, the password, schema and options in the URL",
                );
            }
        },
    };
    (message.to_owned(), remedy)
}

/// Its version, whether it takes writes, and its clock.
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
            "It takes no writes: a standby, or read-only by default",
            "Point DATABASE_URL at the primary (several hosts: target_session_attrs is not read), or set \
             default_transaction_read_only to off",
        );
    } else {
        findings.ok("server", format!("PostgreSQL {}", server.version_text));
    }
    // The answer was made between the two: what is outside of them is a difference.
    let difference = server
        .now
        .millis_after(after)
        .max(before.millis_after(server.now));
    let message = format!("The clocks of this machine and the server differ by {difference} ms");
    let remedy = "Let both follow a time server: keys expire by the clock of each process";
    if difference > CLOCK_PROBLEM_MS {
        findings.problem("clock", message, remedy);
    } else if difference > CLOCK_WARNING_MS {
        findings.warning("clock", message, remedy);
    } else {
        findings.ok("clock", "The clocks of this machine and the server agree");
    }
}

/// Whether a notification comes through.
pub(super) async fn notifications(findings: &mut Findings, store: &Store) {
    match store.notifications_arrive().await {
        None => findings.ok(
            "notifications",
            "Nothing is listened for behind a pooler: changes are read from the log once a second",
        ),
        Some(Ok(true)) => findings.ok("notifications", "A notification came back"),
        Some(Ok(false) | Err(_)) => findings.warning(
            "notifications",
            "No notification comes through: changes by other processes are seen after a second instead of at once",
            "Where a pooler is in between, set DIRECT_DATABASE_URL to the address of the server itself",
        ),
    }
}
