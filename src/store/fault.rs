//! What a database error means to callers. Messages of the server may quote values, so none is passed on.

use crate::error::Error;

/// Whether the same statement may succeed a moment later on another connection.
pub(super) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            if code == PROTOCOL_VIOLATION {
                return false;
            }
            // 08 connection, 57P0x shutdown and crash, 40 rollback (serialisation, deadlock),
            // 53 resources, 55P03 lock timeout, 25006 a primary that became read-only.
            ["08", "57P0", "40", "53", "55P03", "25006"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// A primary that became read-only.
pub(super) fn is_demoted(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("25006"))
}

/// Whether no server has answered: it cannot be reached, or it is going or not yet there.
pub(super) fn is_no_answer(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| code.starts_with("08") || code.starts_with("57P0")),
        _ => false,
    }
}

pub(super) fn timed_out() -> Error {
    Error::unavailable("The database did not answer in time")
}

pub(super) fn from(error: &sqlx::Error) -> Error {
    match error {
        _ if is_transient(error) => Error::unavailable("The database is unavailable"),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Error::unavailable("No database connection became free in time")
        }
        sqlx::Error::Database(error) => by_sqlstate(&error.code().unwrap_or_default()),
        sqlx::Error::Configuration(_) => unusable("databaseUrl"),
        sqlx::Error::RowNotFound => {
            Error::Internal("The database returned no row where one was expected".into())
        }
        _ => Error::Internal("The database returned an unexpected response".into()),
    }
}

/// An error of making a connection. What the server takes exception to then stands in the URL; a user or a password that
/// `SASLprep` refuses is `Configuration` already.
pub(super) fn connecting(error: sqlx::Error) -> sqlx::Error {
    let is_unknown = matches!(from(&error), Error::Internal(_));
    match error {
        sqlx::Error::Database(refusal) if is_unknown => {
            sqlx::Error::Configuration(refusal.into_error())
        }
        error => error,
    }
}

/// The same, to a caller who knows from which option the URL is.
pub(super) fn from_connecting(error: sqlx::Error, option: &str) -> Error {
    match connecting(error) {
        sqlx::Error::Configuration(_) => unusable(option),
        error => from(&error),
    }
}

fn unusable(option: &str) -> Error {
    Error::Configuration(format!(
        "The database server rejects the connection settings in {option}: check the user, password, schema and \
         options, including for control characters"
    ))
}

/// How a pooler refuses a start-up parameter.
const PROTOCOL_VIOLATION: &str = "08P01";

fn by_sqlstate(code: &str) -> Error {
    match code {
        // Undefined table, column or schema.
        "42P01" | "42703" | "3F000" => Error::Configuration(SCHEMA_MISSING.into()),
        // Wrong credentials, no such database, missing privileges.
        "28000" | "28P01" | "3D000" | "42501" => Error::Configuration(format!(
            "The database denied access (SQLSTATE {code}): check the URL and the privileges of its role"
        )),
        PROTOCOL_VIOLATION => Error::Configuration(
            "The server or a pooler rejected the connection parameters: behind a pooler in transaction mode, add \
             pgbouncer=true to the URL"
                .into(),
        ),
        // Cancelled by statement_timeout.
        "57014" => timed_out(),
        _ => Error::Internal(format!(
            "The database rejected a statement (SQLSTATE {code})"
        )),
    }
}

pub(super) const SCHEMA_MISSING: &str = "The database schema is missing or out of date: run npx sophra-api-keys \
    migrate, or call migrate() (with API_KEYS_MIGRATE=manual, migrations do not run automatically)";
