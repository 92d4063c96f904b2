//! The meaning of a failed statement for callers. Messages of the server may quote values, so none is passed on.

use std::fmt;
use std::panic::Location;

use super::trouble::Trouble;
use crate::error::{Error, Origin};

/// The reason why a statement failed.
#[derive(Debug)]
pub(in crate::store) enum StoreError {
    Sql(sqlx::Error),
    /// No connection could be made to any server.
    Connect(Vec<Trouble>),
    /// An earlier attempt of the same statement took effect, and this one found its result.
    Superseded,
    /// The answer is not one that the statement can return.
    Unexpected(&'static str),
    /// The rows do not permit what the caller asks for, which this fault says.
    Refused(Error),
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
            Self::Refused(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Sql(error) => Some(error),
            Self::Connect(troubles) => troubles.first().and_then(Trouble::source),
            Self::Superseded | Self::Unexpected(_) | Self::Refused(_) => None,
        }
    }
}

/// The name and the source location of a statement, for operators.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Statement {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) location: &'static Location<'static>,
}

impl Statement {
    /// A statement at the location of the caller.
    #[track_caller]
    pub(in crate::store) fn named(name: &'static str) -> Self {
        Self {
            name,
            location: Location::caller(),
        }
    }
}

impl StoreError {
    /// Whether the same statement may succeed a moment later on another connection.
    pub(in crate::store) fn is_transient(&self) -> bool {
        match self {
            Self::Sql(error) => is_transient(error),
            Self::Connect(troubles) => troubles.iter().any(|trouble| trouble.reason.may_heal()),
            Self::Superseded => true,
            Self::Unexpected(_) | Self::Refused(_) => false,
        }
    }

    /// Whether the connection itself broke, so that it and others like it are of no more use, or its pool was replaced
    /// while this waited for one.
    pub(in crate::store) fn is_broken(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::PoolTimedOut) => false,
            Self::Sql(sqlx::Error::PoolClosed) => true,
            Self::Sql(error) => is_no_answer(error),
            _ => false,
        }
    }

    /// Whether a row of the answer has a value that cannot be read.
    fn is_of_a_row(&self) -> bool {
        matches!(
            self,
            Self::Sql(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
        )
    }

    /// Whether a primary has become read-only.
    pub(in crate::store) fn is_demoted(&self) -> bool {
        matches!(self.sqlstate().as_deref(), Some("25006"))
    }

    /// Whether the role lacks a privilege.
    pub(in crate::store) fn is_denied(&self) -> bool {
        matches!(self.sqlstate().as_deref(), Some("42501"))
    }

    /// Whether a lock was not free in time.
    pub(in crate::store) fn is_lock_timeout(&self) -> bool {
        matches!(self.sqlstate().as_deref(), Some(LOCK_NOT_AVAILABLE))
    }

    /// Whether the statement broke the constraint with this name.
    pub(in crate::store) fn violates(&self, constraint: &str) -> bool {
        match self {
            Self::Sql(sqlx::Error::Database(error)) => error.constraint() == Some(constraint),
            _ => false,
        }
    }

    /// Whether no server has answered: it cannot be reached, is shutting down, or has not started yet.
    pub(in crate::store) fn is_no_answer(&self) -> bool {
        match self {
            Self::Sql(error) => is_no_answer(error),
            Self::Connect(troubles) => troubles.iter().any(|trouble| trouble.reason.is_no_answer()),
            Self::Superseded | Self::Unexpected(_) | Self::Refused(_) => false,
        }
    }

    fn sqlstate(&self) -> Option<String> {
        let error = match self {
            Self::Sql(error) => error,
            Self::Connect(troubles) => troubles.iter().find_map(Trouble::sql)?,
            Self::Superseded | Self::Unexpected(_) | Self::Refused(_) => return None,
        };
        error.as_database_error()?.code().map(String::from)
    }

    /// Converts the failure to the fault for the caller, which keeps it as its source.
    pub(in crate::store) fn into_fault(self, statement: Statement) -> Error {
        self.into_fault_of(statement, "databaseUrl")
    }

    /// Like [`into_fault`](Self::into_fault), where the URL comes from another option.
    pub(in crate::store) fn into_fault_of(self, statement: Statement, option: &str) -> Error {
        let fault = match &self {
            Self::Refused(fault) => return fault.clone(),
            Self::Sql(error) => fault_of(error),
            Self::Connect(troubles) => no_connection(troubles, option),
            Self::Superseded => unavailable(),
            Self::Unexpected(what) => Error::internal(format!("The database returned {what}")),
        };
        let Statement { name, location } = statement;
        fault.caused_by(if self.is_of_a_row() {
            Origin::unreadable_row(location, name, self)
        } else {
            Origin::statement(location, name, self.sqlstate(), self)
        })
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

pub(in crate::store) fn unavailable() -> Error {
    Error::unavailable(UNAVAILABLE)
}

pub(in crate::store) fn locked() -> Error {
    Error::unavailable("The row is locked by another transaction: try again")
}

pub(in crate::store) fn timed_out() -> Error {
    Error::unavailable("The database did not answer in time")
}

/// Only what may heal is an outage: the rest must be changed by somebody.
fn no_connection(troubles: &[Trouble], option: &str) -> Error {
    let reasons: Vec<String> = troubles.iter().map(Trouble::to_string).collect();
    let reasons = reasons.join("; ");
    match troubles.iter().find(|trouble| !trouble.reason.may_heal()) {
        Some(trouble) if troubles.iter().all(|trouble| !trouble.reason.may_heal()) => {
            Error::configuration(format!(
                "No connection to the database with {option}: {reasons}. {}",
                trouble.reason.remedy()
            ))
        }
        _ => Error::unavailable(format!("{UNAVAILABLE}: {reasons}")),
    }
}

fn fault_of(error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(error) if error.code().as_deref() == Some(LOCK_NOT_AVAILABLE) => {
            locked()
        }
        _ if is_transient(error) => unavailable(),
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Error::unavailable("No database connection became free in time")
        }
        sqlx::Error::Database(error) => by_sqlstate(&error.code().unwrap_or_default()),
        sqlx::Error::RowNotFound => {
            Error::internal("The database returned no row where one was expected")
        }
        _ => Error::internal("The database returned an unexpected response"),
    }
}

/// The SQLSTATE with which a pooler rejects a start-up parameter.
const PROTOCOL_VIOLATION: &str = "08P01";

const POOLED: &str = "A connection pooler in transaction mode lies in between, and databaseUrl (DATABASE_URL) does not say so: add \
     pgbouncer=true to its query string, and set DIRECT_DATABASE_URL to the address of the server itself";

fn by_sqlstate(code: &str) -> Error {
    match code {
        // Undefined table, column or schema.
        "42P01" | "42703" | "3F000" => Error::configuration(SCHEMA_MISSING),
        "42501" => Error::configuration(
            "The role lacks a privilege, or row-level security applies (SQLSTATE 42501): npx @sophra/api-keys doctor says \
             which, and prints the statements that help",
        ),
        // A named statement that is already there, or not there: the server connection is another client's too.
        "42P05" | "26000" | PROTOCOL_VIOLATION => Error::configuration(POOLED),
        // Cancelled by statement_timeout.
        "57014" => timed_out(),
        _ => Error::internal(format!(
            "The database rejected a statement (SQLSTATE {code})"
        )),
    }
}

pub(in crate::store) const SCHEMA_MISSING: &str = "The database schema is missing or out of date: run npx @sophra/api-keys migrate, or call migrate() \
     (with API_KEYS_MIGRATE=manual, migrations do not run automatically)";
