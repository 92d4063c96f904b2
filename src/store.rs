//! All SQL. One statement a function, macro-checked; rows are private, models go out.

mod admin;
mod adoption;
mod audit;
mod changes;
mod circuit;
mod db;
mod doctor;
mod fault;
mod indexes;
mod keys;
mod listen;
mod lookup;
mod manifest;
mod migrate;
mod pool;
mod readable;
mod script;
mod signing;
mod suspend;
mod timestamp;
mod turns;
mod usage;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

pub use admin::StoredToken;
pub use adoption::{DigestRange, PlaintextKey, PlaintextToken};
pub use audit::AuditRow;
pub use changes::{Changes, LogPosition, LogRead};
pub use circuit::Circuit;
pub use doctor::{Access, Column, NoAccess, Server, Tables, Trigger, Unreadable, connect};
pub use keys::{Changed, Credential, ReplacedPlaintext, Rotation};
pub use listen::Ear;
pub use lookup::{Candidate, StoredKey};
pub use manifest::{COLUMNS, TRIGGERS};
pub use migrate::{History, Migrated, migrate};
pub use script::migration_script;
pub use suspend::{Suspended, Suspension};
pub use usage::{Batch, KeySpent, Stored, Use};

use pool::Pool;
use turns::Turns;

use crate::config::{Config, DatabaseUrl, quoted};
use crate::error::Error;

/// A pooler forgets the settings of a session, so a transaction brings its own.
fn begin(url: &DatabaseUrl, timeout_ms: &str) -> SqlStr {
    let mut sql = format!("BEGIN; SET LOCAL statement_timeout = {timeout_ms}");
    if let Some(schema) = url.schema.as_deref() {
        let _ = write!(sql, "; SET LOCAL search_path = {}", quoted(schema));
    }
    AssertSqlSafe(sql).into_sql_str()
}

/// The database, as the rest of the crate sees it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: Arc<Pool>,
    circuit: Arc<Circuit>,
    /// Behind a pooler in transaction mode: how each operation begins, see `db.rs`.
    pooled: Option<SqlStr>,
    deadline: Duration,
    ear: Option<Ear>,
    selects: Arc<AtomicU64>,
    retries: Arc<AtomicU64>,
    turns: Arc<Turns>,
}

impl Store {
    /// Does not connect yet. Must be called inside the runtime.
    #[must_use]
    pub fn open(config: &Config) -> Self {
        let url = &config.database_url;
        // Statements with optional filters need a plan for the filters given, not a generic one.
        // What we no longer wait for, the server gives up too.
        let timeout = config.statement_timeout.as_millis().to_string();
        let connect = url.session(&[
            ("plan_cache_mode", "force_custom_plan"),
            ("statement_timeout", timeout.as_str()),
        ]);
        let pool = Arc::new(Pool::new(
            connect,
            config.pool_max,
            config.statement_timeout,
        ));
        Self {
            ear: Ear::of(config, pool.given_up()),
            pool,
            circuit: Arc::default(),
            pooled: url.pooled.then(|| begin(url, &timeout)),
            deadline: config.statement_timeout,
            selects: Arc::default(),
            retries: Arc::default(),
            turns: Arc::new(Turns::new(config.pool_max)),
        }
    }

    /// For notifications; `None` where none can come.
    pub fn ear(&self) -> Option<Ear> {
        self.ear.clone()
    }

    /// Rows read for presented keys so far.
    pub fn selects(&self) -> u64 {
        self.selects.load(Ordering::Relaxed)
    }

    /// Statements repeated so far, after transient faults.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Open connections, and how many of them are idle.
    pub fn connections(&self) -> (usize, usize) {
        self.pool.connections()
    }

    pub async fn close(&self) {
        if let Some(ear) = &self.ear {
            ear.close();
        }
        self.pool.close().await;
        // Who watches sees that there is nothing to watch any more.
        self.circuit.suspect();
    }

    pub fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    pub fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    /// Whether the server answers, asked over a connection of its own.
    pub async fn probe(&self) -> Result<(), Error> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let asked = tokio::time::timeout(self.deadline.min(PATIENCE), self.pool.probe());
        match asked.await {
            // Too many connections, a wrong password: no good answer, but one.
            Ok(Err(error)) if !fault::is_no_answer(&error) => Ok(()),
            Ok(result) => result.map_err(|error| fault::from(&error)),
            Err(_) => Err(fault::timed_out()),
        }
    }

    /// Gives up all connections: none of them is trusted any more.
    pub fn renew(&self) {
        self.pool.renew();
    }

    /// What an operator should know. Asked to learn whether the database answers, too. Plaintext is counted only where
    /// there should be none, and only so far that it takes no time.
    pub async fn condition(&self, count_plaintext: bool) -> Result<Condition, Error> {
        self.once(|| async {
            sqlx::query_as!(
                Condition,
                r#"
                SELECT
                  atttypid = 'integer'::regtype AS "usage_count_is_narrow!",
                  CASE WHEN $1 THEN
                    (SELECT count(*) FROM (SELECT FROM "ApiKey" WHERE "lookup" IS NULL LIMIT 10000) AS keys)
                      + (SELECT count(*) FROM (SELECT FROM "AdminToken" WHERE "lookup" IS NULL LIMIT 10000) AS tokens)
                  ELSE 0 END AS "plaintext_rows!"
                FROM pg_attribute
                WHERE attrelid = '"ApiKey"'::regclass AND attname = 'usageCount'
                "#,
                count_plaintext,
            )
            .fetch_one(&mut self.db().await?)
            .await
        })
        .await
    }
}

/// The state of the tables.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// The counter of uses is still as narrow as the app made it.
    pub usage_count_is_narrow: bool,
    /// Rows of old instances that hold plaintext, at most 10,000 of each table.
    pub plaintext_rows: i64,
}
