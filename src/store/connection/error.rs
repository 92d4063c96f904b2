//! The meaning of a failed statement for callers. Messages of the server may quote values, so none is passed on.

use std::fmt;
use std::panic::Location;

use crate::error::{Error, Origin};

/// The reason why a statement failed.
#[derive(Debug)]
pub(in crate::store) enum StoreError {
    Sql(sqlx::Error),
    /// No connection could be made, so the cause is in the URL.
    Connect(sqlx::Error),
    /// An earlier attempt of the same statement took effect, and this one found its result.
    Superseded,
    /// The answer is not one that the statement can return.
    Unexpected(&'static str),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(_) => f.write_str("the statement failed"),
            Self::Connect(_) => f.write_str("no connection could be made"),
            Self::Superseded => f.write_str("an earlier attempt took effect"),
            Self::Unexpected(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sql(error) | Self::Connect(error) => Some(error),
            Self::Superseded | Self::Unexpected(_) => None,
        }
    }
}

/// The name and the source location of a statement, for operators.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Statement {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) location: &'static Location<'static>,
}

impl StoreError {
    /// Whether the same statement may succeed a moment later on another connection.
    pub(in crate::store) fn is_transient(&self) -> bool {
        match self {
            Self::Sql(error) | Self::Connect(error) => is_transient(error),
            Self::Superseded => true,
            Self::Unexpected(_) => false,
        }
    }

    /// Whether a primary has become read-only.
    pub(in crate::store) fn is_demoted(&self) -> bool {
        matches!(self.sqlstate().as_deref(), Some("25006"))
    }

    /// Whether a lock was not free in time.
    pub(in crate::store) fn is_lock_timeout(&self) -> bool {
        matches!(self.sqlstate().as_deref(), Some(LOCK_NOT_AVAILABLE))
    }

    /// Whether no server has answered: it cannot be reached, is shutting down, or has not started yet.
    pub(in crate::store) fn is_no_answer(&self) -> bool {
        match self {
            Self::Sql(error) | Self::Connect(error) => is_no_answer(error),
            Self::Superseded | Self::Unexpected(_) => false,
        }
    }

    fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Sql(sqlx::Error::Database(error))
            | Self::Connect(sqlx::Error::Database(error)) => error.code().map(String::from),
            _ => None,
        }
    }

    /// Converts the failure to the fault for the caller, which keeps it as its source.
    pub(in crate::store) fn into_fault(self, statement: Statement) -> Error {
        self.into_fault_of(statement, "databaseUrl")
    }

    /// Like [`into_fault`](Self::into_fault), where the URL comes from another option.
    pub(in crate::store) fn into_fault_of(self, statement: Statement, option: &str) -> Error {
        let fault = match &self {
            Self::Sql(error) => fault_of(error, option),
            Self::Connect(error) => match fault_of(error, option) {
                Error::Internal { .. } if matches!(error, sqlx::Error::Database(_)) => {
                    unusable(option)
                }
                fault => fault,
            },
            Self::Superseded => Error::unavailable(UNAVAILABLE),
            Self::Unexpected(what) => Error::internal(format!("The database returned {what}")),
        };
        let sqlstate = self.sqlstate();
        fault.caused_by(Origin::statement(
            statement.location,
            statement.name,
            sqlstate,
            self,
        ))
    }
}

const UNAVAILABLE: &str = "The database is unavailable";

/// The SQLSTATE of a lock that was not free in time.
const LOCK_NOT_AVAILABLE: &str = "55P03";

pub(in crate::store) fn is_transient(error: &sqlx::Error) -> bool {
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

fn is_no_answer(error: &sqlx::Error) -> bool {
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

pub(in crate::store) fn timed_out() -> Error {
    Error::unavailable("The database did not answer in time")
}

fn fault_of(error: &sqlx::Error, option: &str) -> Error {
    match error {
        sqlx::Error::Database(error) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
            Error::unavailable("The row is locked by another transaction: try again")
        }
        _ if is_transient(error) => Error::unavailable(UNAVAILABLE),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Error::unavailable("No database connection became free in time")
        }
        sqlx::Error::Database(error) => by_sqlstate(&error.code().unwrap_or_default()),
        sqlx::Error::Configuration(_) => unusable(option),
        sqlx::Error::RowNotFound => {
            Error::internal("The database returned no row where one was expected")
        }
        _ => Error::internal("The database returned an unexpected response"),
    }
}

fn unusable(option: &str) -> Error {
    Error::configuration(format!(
        "The database server rejects the connection settings in {option}: check the user, password, schema \
             and options, including for control characters"
    ))
}

/// The SQLSTATE with which a pooler rejects a start-up parameter.
const PROTOCOL_VIOLATION: &str = "08P01";

fn by_sqlstate(code: &str) -> Error {
    match code {
        // Undefined table, column or schema.
        "42P01" | "42703" | "3F000" => Error::configuration(SCHEMA_MISSING),
        // Wrong credentials, no such database, missing privileges.
        "28000" | "28P01" | "3D000" | "42501" => Error::configuration(format!(
            "The database denied access (SQLSTATE {code}): check the URL and the privileges of its role"
        )),
        PROTOCOL_VIOLATION => Error::configuration(
            "The server or a pooler rejected the connection parameters: behind a pooler in transaction mode, add \
                 pgbouncer=true to the URL",
        ),
        // Cancelled by statement_timeout.
        "57014" => timed_out(),
        _ => Error::internal(format!(
            "The database rejected a statement (SQLSTATE {code})"
        )),
    }
}

pub(in crate::store) const SCHEMA_MISSING: &str = "The database schema is missing or out of date: run npx sophra-api-keys migrate, or call migrate() \
     (with API_KEYS_MIGRATE=manual, migrations do not run automatically)";
