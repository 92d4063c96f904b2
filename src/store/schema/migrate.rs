//! Migrations: embedded, additive, safe when several processes start at once, with short locks.

use std::collections::HashSet;
use std::panic::Location;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::indexes;
use crate::config::{Config, DatabaseUrl, quoted};
use crate::error::Error;
use crate::store::connection::error::{self, Statement, StoreError};

pub(in crate::store) static MIGRATIONS: Migrator = sqlx::migrate!("src/migrations");
pub(in crate::store) const HISTORY: &str = "sophra_api_keys.migrations";
pub(in crate::store) const SCHEMA: &str = "sophra_api_keys";

/// Advisory lock of whoever migrates: "sophra" in ASCII.
const LOCK: i64 = 0x736f_7068_7261;
/// Migrations wait this long for a lock on a table, so that they never queue everyone else behind them.
const LOCK_TIMEOUT: &str = "2s";
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

const NEEDS_DIRECT_URL: &str = "Migrations cannot run through a pooler in transaction mode: set DIRECT_DATABASE_URL \
    to the address of the server itself";

/// What a migration did.
#[derive(Debug)]
pub struct Migrated {
    /// The migrations that were applied now, by name.
    pub applied: Vec<String>,
    /// Rows of old instances that still hold plaintext.
    pub remaining: i64,
}

/// Brings the schema up to date.
pub async fn migrate(config: &Config) -> Result<Migrated, Error> {
    let (url, option) = match &config.direct_database_url {
        Some(url) => (url, "directDatabaseUrl"),
        None => (&config.database_url, "databaseUrl"),
    };
    let connect = url.session(&[("lock_timeout", LOCK_TIMEOUT)]);
    let connected = tokio::time::timeout(config.statement_timeout, connect.connect()).await;
    let statement = Statement {
        name: "migrate",
        location: Location::caller(),
    };
    let mut connection = connected
        .map_err(|_| error::timed_out())?
        .map_err(|error| StoreError::Connect(error).into_fault_of(statement, option))?;
    let work = async {
        if url.pooled {
            check(&mut connection, url).await
        } else {
            apply(&mut connection, url).await
        }
    };
    let applied = tokio::time::timeout(PATIENCE * 2, work).await;
    // The session ends here either way, and its locks with it.
    let _ = connection.close().await;
    match applied
        .map_err(|_| error::timed_out())?
        .map_err(|error| error.into_fault_of(statement, option))?
    {
        Some(migrated) => Ok(migrated),
        None => Err(Error::configuration(NEEDS_DIRECT_URL)),
    }
}

/// Behind a pooler in transaction mode there are no sessions, and so no lock, no settings and no named statements:
/// an up-to-date schema is recognised, but not made. `None`: it is out of date.
async fn check(
    connection: &mut PgConnection,
    url: &DatabaseUrl,
) -> Result<Option<Migrated>, StoreError> {
    let mut transaction = connection
        .begin_with(crate::store::handle::begin(url, "0"))
        .await
        .map_err(StoreError::Connect)?;
    if !not_applied(&mut transaction).await?.is_empty() {
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
) -> Result<Option<Migrated>, StoreError> {
    let end = Instant::now() + PATIENCE;
    if not_applied(connection).await?.is_empty() && indexes::stand(connection).await? {
        return Ok(Some(Migrated {
            applied: Vec::new(),
            remaining: remaining(connection).await?,
        }));
    }
    lock(connection, end).await?;
    create_schema(connection, url).await?;
    let missing = not_applied(connection).await?;
    while let Err(error) = migrator().run_direct(None, connection, false).await {
        retry_or_fail(error, end).await?;
    }
    indexes::build(connection, end).await?;
    Ok(Some(Migrated {
        applied: missing,
        remaining: remaining(connection).await?,
    }))
}

async fn remaining(connection: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        r#"
        SELECT (SELECT count(*) FROM "ApiKey" WHERE "lookup" IS NULL)
             + (SELECT count(*) FROM "AdminToken" WHERE "lookup" IS NULL)
        "#,
    )
    .persistent(false)
    .fetch_one(connection)
    .await
}

fn migrator() -> Migrator {
    let mut migrator = Migrator {
        locking: false,
        ..Migrator::with_migrations(MIGRATIONS.migrations.to_vec())
    };
    migrator.dangerous_set_table_name(HISTORY);
    migrator.create_schema(SCHEMA);
    // A newer version of the addon may have been here first.
    migrator.set_ignore_missing(true);
    migrator
}

/// The names of the migrations that this database has not seen.
pub(in crate::store) async fn not_applied(
    connection: &mut PgConnection,
) -> sqlx::Result<Vec<String>> {
    let exists: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(HISTORY)
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    let mut applied = HashSet::new();
    if exists {
        let versions: Vec<i64> =
            sqlx::query_scalar("SELECT version FROM sophra_api_keys.migrations WHERE success")
                .persistent(false)
                .fetch_all(connection)
                .await?;
        applied.extend(versions);
    }
    let missing = MIGRATIONS
        .iter()
        .filter(|migration| !applied.contains(&migration.version));
    Ok(missing.map(migration_name).collect())
}

/// As its file is called.
pub(in crate::store) fn migration_name(migration: &Migration) -> String {
    format!(
        "{:04}_{}",
        migration.version,
        migration.description.replace(' ', "_")
    )
}

/// Waits for the lock by asking again: a session that waits inside the server holds a snapshot, and a concurrent
/// index build of the one that has the lock would wait for that snapshot for ever.
async fn lock(connection: &mut PgConnection, end: Instant) -> sqlx::Result<()> {
    loop {
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
        if taken {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(sqlx::Error::PoolTimedOut);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The app's schema, where the URL names one that is not there yet.
async fn create_schema(connection: &mut PgConnection, url: &DatabaseUrl) -> sqlx::Result<()> {
    let Some(schema) = &url.schema else {
        return Ok(());
    };
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

/// A lock that was not free in time leaves everything as it was: try again.
async fn retry_or_fail(error: MigrateError, end: Instant) -> sqlx::Result<()> {
    let error = match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => sqlx::Error::Migrate(Box::new(other)),
    };
    if !error::is_transient(&error) || Instant::now() > end {
        return Err(error);
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
