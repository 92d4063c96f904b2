//! The reasons why a migration failed, and the session that blocks it.

use std::fmt::Write;

use sqlx::migrate::MigrateError;

use super::lock::{Holder, LOCK, PATIENCE};
use super::privileges::Lacking;
use crate::error::Error;
use crate::model::Escaped;
use crate::store::connection::error::{Statement, StoreError};

/// The reason why a migration failed.
pub(super) enum Failure {
    Database(StoreError),
    /// Another session has held the lock of a migration for longer than [`PATIENCE`].
    Busy(Option<Holder>),
    /// Migrations that were applied with other contents than they have in this version, by name.
    Altered(Vec<String>),
    /// The role may not do what is to be done.
    Lacking(Lacking),
    /// The tables are not where the URL looks for them, but in these schemas.
    NoTables(Vec<String>),
    Migrator(MigrateError),
    /// The migrations in the addon cannot be read.
    Embedded(Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(StoreError::Sql(error))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Database(error)
    }
}

impl Failure {
    /// Converts the failure to the fault for the caller, which keeps it as its source. `option` names where the URL is
    /// from.
    pub(super) fn into_fault(self, statement: Statement, option: &str) -> Error {
        match self {
            Self::Database(error) if error.is_lock_timeout() => {
                let message = format!(
                    "A migration could not lock a table within {} seconds because other sessions use it: wait until \
                     long transactions have ended, and try again",
                    PATIENCE.as_secs()
                );
                let origin = error.into_fault_of(statement, option).origin().cloned();
                let fault = Error::unavailable(message);
                origin.map_or(fault.clone(), |origin| fault.caused_by(origin))
            }
            Self::Database(error) => error.into_fault_of(statement, option),
            Self::Busy(holder) => Error::unavailable(busy(holder.as_ref())),
            Self::Altered(names) => Error::configuration(format!(
                "This database was migrated by another build of @sophra/api-keys: {} had other contents when applied \
                 (its checksum differs). Use that build, or restore a backup from before that migration",
                names.join(", ")
            )),
            Self::Lacking(lacking) => Error::configuration(denied(&lacking)),
            Self::NoTables(homes) => Error::configuration(no_tables(&homes, option)),
            Self::Embedded(error) => error,
            Self::Migrator(error) => Error::internal(format!("The migrations cannot run: {error}")),
        }
    }
}

fn denied(lacking: &Lacking) -> String {
    format!(
        "The role {} cannot migrate this database: it lacks {}. Either run as an administrator: {} Or migrate with a \
         role that may, with npx @sophra/api-keys migrate, and set API_KEYS_MIGRATE=manual for this one",
        Escaped::new(&lacking.role).as_str(),
        Escaped::cut(&lacking.privileges.join(", "), SHOWN_MAX).as_str(),
        Escaped::cut(&lacking.statements.join(" "), SHOWN_MAX).as_str(),
    )
}

/// The longest text from the catalogue in a message.
const SHOWN_MAX: usize = 2_000;

fn no_tables(homes: &[String], option: &str) -> String {
    match homes.first() {
        Some(home) => format!(
            "The tables of this database are in the schema {0}, where {option} does not look: add ?schema={0} to the \
             URL. A database holds the keys of one schema, so another schema needs a database of its own",
            Escaped::new(home).as_str()
        ),
        None => "The tables \"ApiKey\" and \"AdminToken\" of this database were dropped after it was migrated: restore \
                 them from a backup, or run DROP SCHEMA sophra_api_keys CASCADE to begin anew"
            .to_owned(),
    }
}

/// What is told while a migration waits for another one.
pub(super) fn waiting_for(holder: &Holder) -> String {
    format!(
        "Waiting for another session that is migrating this database: {}",
        described(holder)
    )
}

fn busy(holder: Option<&Holder>) -> String {
    let mut message = format!(
        "Another session is migrating this database and has not finished within {} seconds",
        PATIENCE.as_secs()
    );
    let Some(holder) = holder else {
        return message + ": try again";
    };
    let _ = write!(
        message,
        ": {}. Wait until it has finished, or end it with SELECT pg_terminate_backend({}), and try again. Every role that \
         may connect can hold this lock (pg_advisory_lock({LOCK}))",
        described(holder),
        holder.pid
    );
    message
}

fn described(holder: &Holder) -> String {
    let mut text = format!("process {}", holder.pid);
    if let Some(role) = &holder.role {
        let _ = write!(text, " of role {}", Escaped::new(role).as_str());
    }
    if let Some(name) = holder
        .application_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        let _ = write!(text, " ({})", Escaped::new(name).as_str());
    }
    if let Some(time) = &holder.connected_at {
        let _ = write!(text, ", connected since {time}");
    }
    text
}
