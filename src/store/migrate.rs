//! Migrations: embedded, additive, safe when several processes start at once, with short locks.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{ConnectOptions, Connection, PgConnection};

use super::{fault, indexes};
use crate::config::{Config, DatabaseUrl, quoted};
use crate::error::Error;
use crate::shown::Shown;

pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("src/migrations");
pub(super) const HISTORY: &str = "sophra_api_keys.migrations";
pub(super) const SCHEMA: &str = "sophra_api_keys";

/// The advisory lock that a migration holds: "sophra" in ASCII.
const LOCK: i64 = 0x736f_7068_7261;
/// How long a migration waits for a lock on a table. While it waits, every other session queues behind it.
const LOCK_TIMEOUT: &str = "2s";
/// How long a migration waits for another one, and how long it tries again to lock a table.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

const NEEDS_DIRECT_URL: &str = "Migrations cannot run through a pooler in transaction mode: set DIRECT_DATABASE_URL, or call migrate() with it";

/// The result of a migration.
#[derive(Debug)]
pub struct Migrated {
    /// The names of the migrations that were applied by this call.
    pub applied: Vec<String>,
    /// The number of legacy rows, which still hold plaintext.
    pub remaining: i64,
}

/// Why a migration failed.
enum Failure {
    Database(sqlx::Error),
    /// Another session holds the lock of a migration for longer than [`PATIENCE`].
    Busy(Option<Holder>),
    /// Migrations that were applied with other contents than they have in this version, by name.
    Altered(Vec<String>),
    Migrator(MigrateError),
}

/// The session that holds the lock of a migration.
#[derive(sqlx::FromRow)]
struct Holder {
    pid: i32,
    application_name: Option<String>,
    /// When it connected. Only a role with the rights of `pg_read_all_stats` sees that of another role.
    connected_at: Option<String>,
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Database(error) if is_lock_timeout(&error) => Self::unavailable(format!(
                "A migration could not lock a table within {} seconds because other sessions use it: wait until long \
                 transactions have ended, and try again",
                PATIENCE.as_secs()
            )),
            Failure::Database(error) => fault::from(&error),
            Failure::Busy(holder) => Self::unavailable(busy(holder.as_ref())),
            Failure::Altered(names) => Self::Configuration(format!(
                "This database was migrated by another build of @sophra/api-keys: {} had other contents when applied \
                 (its checksum differs). Use that build, or restore a backup from before that migration",
                names.join(", ")
            )),
            Failure::Migrator(error) => {
                Self::Internal(format!("The migrations cannot run: {error}"))
            }
        }
    }
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.code().as_deref() == Some("55P03"))
}

fn busy(holder: Option<&Holder>) -> String {
    let mut message = format!(
        "Another session is migrating this database and has not finished within {} seconds",
        PATIENCE.as_secs()
    );
    let Some(holder) = holder else {
        return message + ": try again";
    };
    let _ = write!(message, ": process {}", holder.pid);
    if let Some(name) = holder
        .application_name
        .as_deref()
        .filter(|name| !name.is_empty())
    {
        let _ = write!(message, " ({})", Shown::new(name).as_str());
    }
    if let Some(time) = &holder.connected_at {
        let _ = write!(message, ", connected since {time}");
    }
    let _ = write!(
        message,
        ". Wait until it has finished, or end it with SELECT pg_terminate_backend({}), and try again",
        holder.pid
    );
    message
}

/// Brings the schema up to date.
pub async fn migrate(config: &Config) -> Result<Migrated, Error> {
    let (url, option) = match &config.direct_database_url {
        Some(url) => (url, "directDatabaseUrl"),
        None => (&config.database_url, "databaseUrl"),
    };
    let connect = url.session(&[("lock_timeout", LOCK_TIMEOUT)]);
    let connected = tokio::time::timeout(config.statement_timeout, connect.connect()).await;
    let mut connection = connected
        .map_err(|_| fault::timed_out())?
        .map_err(|error| fault::from_connecting(error, option))?;
    let work = async {
        if url.pooled {
            check(&mut connection, url).await
        } else {
            apply(&mut connection, url).await.map(Some)
        }
    };
    let applied = tokio::time::timeout(PATIENCE * 2, work).await;
    // The end of the session releases its locks, however the work has ended.
    let _ = connection.close().await;
    applied
        .map_err(|_| fault::timed_out())??
        .ok_or_else(|| Error::Configuration(NEEDS_DIRECT_URL.into()))
}

/// Checks the schema without changing it. A pooler in transaction mode keeps no sessions, and so no locks, settings or
/// named statements: a migration cannot run through it. `None` if the schema is out of date.
async fn check(
    connection: &mut PgConnection,
    url: &DatabaseUrl,
) -> Result<Option<Migrated>, Failure> {
    let mut transaction = connection
        .begin_with(super::begin(url, "0"))
        .await
        .map_err(fault::connecting)?;
    if !pending(&mut transaction).await?.is_empty() {
        return Ok(None);
    }
    Ok(Some(Migrated {
        applied: Vec::new(),
        remaining: remaining(&mut transaction).await?,
    }))
}

async fn apply(connection: &mut PgConnection, url: &DatabaseUrl) -> Result<Migrated, Failure> {
    let end = Instant::now() + PATIENCE;
    if pending(connection).await?.is_empty() && indexes::stand(connection).await? {
        return Ok(Migrated {
            applied: Vec::new(),
            remaining: remaining(connection).await?,
        });
    }
    lock(connection, end).await?;
    create_schema(connection, url).await?;
    let applied = pending(connection).await?;
    while let Err(error) = migrator().run_direct(None, connection, false).await {
        retry_or_fail(error, end).await?;
    }
    indexes::build(connection, end).await?;
    Ok(Migrated {
        applied,
        remaining: remaining(connection).await?,
    })
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
    // A newer version of the addon may have applied migrations that this one does not know.
    migrator.set_ignore_missing(true);
    migrator
}

/// The migrations of this version, compared with the history of a database.
pub struct History {
    /// The names of those that the database has not seen.
    pub pending: Vec<String>,
    /// The names of those that were applied with other contents.
    pub altered: Vec<String>,
}

pub(super) async fn history(connection: &mut PgConnection) -> sqlx::Result<History> {
    let applied = applied(connection).await?;
    let mut history = History {
        pending: Vec::new(),
        altered: Vec::new(),
    };
    for migration in MIGRATIONS.iter() {
        match applied.get(&migration.version) {
            None => history.pending.push(migration_name(migration)),
            Some(checksum) if *checksum == *migration.checksum => {}
            Some(_) => history.altered.push(migration_name(migration)),
        }
    }
    Ok(history)
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
    if history.altered.is_empty() {
        Ok(history.pending)
    } else {
        Err(Failure::Altered(history.altered))
    }
}

/// The name of the file of a migration, without its extension.
pub(super) fn migration_name(migration: &Migration) -> String {
    format!(
        "{:04}_{}",
        migration.version,
        migration.description.replace(' ', "_")
    )
}

/// Waits for the lock by polling. A session that waited inside the server would hold a snapshot, and a concurrent index
/// build by the session that holds the lock would wait for that snapshot forever.
async fn lock(connection: &mut PgConnection, end: Instant) -> Result<(), Failure> {
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
            return Err(Failure::Busy(holder(connection).await?));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The session that holds the lock, unless it has just released it.
async fn holder(connection: &mut PgConnection) -> sqlx::Result<Option<Holder>> {
    sqlx::query_as(
        r#"
        SELECT
          activity.pid,
          activity.application_name,
          to_char(activity.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS connected_at
        FROM pg_locks AS held
        JOIN pg_stat_activity AS activity ON activity.pid = held.pid
        WHERE held.locktype = 'advisory'
          AND held.granted
          AND held.objsubid = 1
          AND (held.classid::bigint << 32) | held.objid::bigint = $1
          AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        "#,
    )
    .bind(LOCK)
    .persistent(false)
    .fetch_optional(connection)
    .await
}

/// Creates the schema that the URL names, if it does not exist.
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

/// A lock that was not free in time leaves everything as it was, so the migration can be tried again.
async fn retry_or_fail(error: MigrateError, end: Instant) -> Result<(), Failure> {
    let error = match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        other => return Err(Failure::Migrator(other)),
    };
    if !fault::is_transient(&error) || Instant::now() > end {
        return Err(error.into());
    }
    tokio::time::sleep(PAUSE).await;
    Ok(())
}
