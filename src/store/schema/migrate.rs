//! Migrations: embedded, additive, safe when several processes start at once, with short locks.

use std::collections::HashMap;
use std::time::Instant;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, PgConnection};

use super::embedded::{self, MIGRATIONS};
use super::failure::{Failure, waiting_for};
use super::indexes;
use super::lock::{Holder, PATIENCE, PAUSE, Waited, lock};
use super::privileges::{homes, lacking, tables_exist};
use super::triggers;
use crate::config::{Config, DatabaseUrl, quoted};
use crate::error::Error;
use crate::store::connection::Connector;
use crate::store::connection::error::{self, Statement};
use crate::store::handle::begin;
use crate::store::plaintext::{PlaintextRows, count_plaintext};

pub(in crate::store) const HISTORY: &str = "sophra_api_keys.migrations";
pub(in crate::store) const SCHEMA: &str = "sophra_api_keys";

/// The time that a migration waits for a lock on a table. While it waits, every other session queues behind it.
const LOCK_TIMEOUT: &str = "2s";

const NEEDS_DIRECT_URL: &str = "Migrations cannot run through a pooler in transaction mode: set DIRECT_DATABASE_URL to the address of the server itself";

/// The result of a migration.
#[derive(Debug)]
pub struct Migrated {
    /// The names of the migrations that were applied by this call.
    pub applied: Vec<String>,
    /// The number of rows that hold plaintext.
    pub remaining: i64,
}

/// Brings the schema up to date. `on_wait` is told if it waits for another migration, and whose that is.
pub async fn migrate(config: &Config, on_wait: impl FnOnce(String)) -> Result<Migrated, Error> {
    let (url, option) = match &config.direct_database_url {
        Some(url) => (url, "directDatabaseUrl"),
        None => (&config.database_url, "databaseUrl"),
    };
    let session = url.session(&[("lock_timeout", LOCK_TIMEOUT)]);
    let statement = Statement::named("migrate");
    let connector = Connector::new(session, config.statement_timeout);
    let mut connection = connector
        .connect()
        .await
        .map_err(|error| error.into_fault_of(statement, option))?;
    let work = async {
        if url.pooled {
            check(&mut connection, url).await
        } else {
            apply(&mut connection, url, on_wait).await.map(Some)
        }
    };
    let mut applied = tokio::time::timeout(PATIENCE * 2, work).await;
    if let Ok(Err(Failure::Database(error))) = &applied
        && error.is_denied()
        && let Ok(lacking) = lacking(&mut connection, url.schema.as_deref()).await
        && !lacking.privileges.is_empty()
    {
        applied = Ok(Err(Failure::Lacking(lacking)));
    }
    // Closing the session releases its locks, even after a failure.
    let _ = connection.close().await;
    applied
        .map_err(|_| error::timed_out())?
        .map_err(|failure| failure.into_fault(statement, option))?
        .ok_or_else(|| Error::configuration(NEEDS_DIRECT_URL))
}

/// Checks the schema without changing it. A pooler in transaction mode keeps no sessions, and so no locks, settings or
/// named statements: a migration cannot run through it. `None` if the schema is out of date.
async fn check(
    connection: &mut PgConnection,
    url: &DatabaseUrl,
) -> Result<Option<Migrated>, Failure> {
    let mut transaction = connection.begin_with(begin(url, "0", "")).await?;
    if !pending(&mut transaction).await?.is_empty() {
        return Ok(None);
    }
    Ok(Some(Migrated {
        applied: Vec::new(),
        remaining: remaining(&mut transaction).await?,
    }))
}

async fn apply(
    connection: &mut PgConnection,
    url: &DatabaseUrl,
    on_wait: impl FnOnce(String),
) -> Result<Migrated, Failure> {
    let end = Instant::now() + PATIENCE;
    if pending(connection).await?.is_empty()
        && indexes::stand(connection).await?
        && triggers::stand(connection).await?
    {
        return Ok(Migrated {
            applied: Vec::new(),
            remaining: remaining(connection).await?,
        });
    }
    let on_wait = |holder: &Holder| on_wait(waiting_for(holder));
    if let Waited::Busy(holder) = lock(connection, end, on_wait).await? {
        return Err(Failure::Busy(holder));
    }
    let schema = url.schema.as_deref();
    let lacking = lacking(connection, schema).await?;
    if !lacking.privileges.is_empty() {
        return Err(Failure::Lacking(lacking));
    }
    for name in schema.into_iter().chain([SCHEMA]) {
        create_schema(connection, name).await?;
    }
    let applied = pending(connection).await?;
    if !applied.is_empty() {
        let migrator = migrator()?;
        while let Err(error) = migrator.run_direct(None, connection, false).await {
            retry_or_fail(error, end).await?;
        }
    }
    indexes::build(connection, end).await?;
    triggers::mend(connection, end).await?;
    Ok(Migrated {
        applied,
        remaining: remaining(connection).await?,
    })
}

async fn remaining(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let PlaintextRows { keys, tokens } = count_plaintext(connection).await?;
    Ok(keys + tokens)
}

fn migrator() -> Result<Migrator, Failure> {
    let mut migrator = Migrator {
        locking: false,
        ..Migrator::with_migrations(embedded::migrations().map_err(Failure::Embedded)?)
    };
    migrator.dangerous_set_table_name(HISTORY);
    // A newer version of the addon may have applied migrations that this one does not know.
    migrator.set_ignore_missing(true);
    Ok(migrator)
}

/// The migrations of this version, compared with the history of a database.
pub struct History {
    /// The names of those that the database has not applied.
    pub pending: Vec<String>,
    /// The names of those that were applied with other contents.
    pub altered: Vec<String>,
}

pub(in crate::store) async fn history(connection: &mut PgConnection) -> sqlx::Result<History> {
    Ok(compare(&applied(connection).await?))
}

/// Compares the migrations of this version with the checksums of those that were applied.
pub(super) fn compare(applied: &HashMap<i64, Vec<u8>>) -> History {
    let mut history = History {
        pending: Vec::new(),
        altered: Vec::new(),
    };
    for migration in MIGRATIONS {
        match applied.get(&migration.version) {
            None => history.pending.push(migration.name()),
            Some(checksum) if checksum == migration.checksum => {}
            Some(_) => history.altered.push(migration.name()),
        }
    }
    history
}

/// The checksums of the applied migrations, by version.
async fn applied(connection: &mut PgConnection) -> sqlx::Result<HashMap<i64, Vec<u8>>> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(HISTORY)
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT version, checksum FROM sophra_api_keys.migrations WHERE success")
            .persistent(false)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// The names of the migrations that have to be applied.
async fn pending(connection: &mut PgConnection) -> Result<Vec<String>, Failure> {
    let history = history(connection).await?;
    if !history.altered.is_empty() {
        return Err(Failure::Altered(history.altered));
    }
    // The first migration creates the tables, so they are elsewhere, or gone.
    if history.pending.len() < MIGRATIONS.len() && !tables_exist(connection).await? {
        return Err(Failure::NoTables(homes(connection).await?));
    }
    Ok(history.pending)
}

/// Creates the schema unless it exists: `IF NOT EXISTS` needs the privilege to create it even where it exists.
async fn create_schema(connection: &mut PgConnection, schema: &str) -> sqlx::Result<()> {
    let exists: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
        .bind(quoted(schema))
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        let statement = format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(schema));
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(connection)
            .await?;
    }
    Ok(())
}

/// A lock timeout leaves everything as it was, so the migration can be tried again.
async fn retry_or_fail(error: MigrateError, end: Instant) -> Result<(), Failure> {
    let error = match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => return Err(Failure::Migrator(other)),
    };
    if !error::is_transient(&error) || Instant::now() > end {
        return Err(error.into());
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
