//! The database, as the rest of the crate sees it.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::connection::{Circuit, ConnectionPool, Connector, Lanes, NotificationListener, Shares};
use super::lookup_queue::Lookups;
use super::turns::Turns;
use crate::config::{Config, DatabaseUrl, quoted};
use crate::model::Moment;

/// Whatever the role or the database has for a default: what waits for a lock must see what was committed meanwhile.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// The setting that tells the database which process makes a change.
const PROCESS: &str = "sophra_api_keys.process";

/// The statement that begins a transaction. A pooler forgets the settings of a session, so each transaction brings its
/// own.
pub(super) fn begin(url: &DatabaseUrl, timeout_ms: &str, process: &str) -> SqlStr {
    let mut sql = format!(
        "{BEGIN}; SET LOCAL statement_timeout = {timeout_ms}; SET LOCAL row_security = off; SET LOCAL {PROCESS} = '{process}'"
    );
    if let Some(schema) = url.schema.as_deref() {
        let _ = write!(sql, "; SET LOCAL search_path = {}", quoted(schema));
    }
    AssertSqlSafe(sql).into_sql_str()
}

/// The statement that begins a change. It waits for a lock for a part of its time only, since it holds a connection
/// meanwhile.
fn begin_change(url: &DatabaseUrl, timeout_ms: &str, process: &str, deadline: Duration) -> SqlStr {
    let wait_ms = (deadline / 4).as_millis();
    let begin = if url.pooled {
        begin(url, timeout_ms, process)
    } else {
        SqlStr::from_static(BEGIN)
    };
    let sql = format!("{}; SET LOCAL lock_timeout = {wait_ms}", begin.as_str());
    AssertSqlSafe(sql).into_sql_str()
}

/// A name for this process, which is no secret.
fn process_id() -> String {
    uuid::Builder::from_random_bytes(rand::random())
        .into_uuid()
        .to_string()
}

/// How many of the connections are for lookups alone. Each takes many at a time, so more would only divide them.
fn lanes(pool_max: u32) -> u32 {
    match pool_max {
        0 | 1 => 0,
        2 | 3 => 1,
        _ => 2,
    }
}

/// The database, as the rest of the crate sees it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(super) pool: Arc<ConnectionPool>,
    pub(super) pool_max: u32,
    pub(super) circuit: Arc<Circuit>,
    /// Set behind a pooler in transaction mode: the statement that begins each operation, see `session.rs`.
    pub(super) pooled: Option<SqlStr>,
    pub(super) deadline: Duration,
    pub(super) listener: Option<NotificationListener>,
    pub(super) lookups: Arc<Lookups>,
    pub(super) selects: Arc<AtomicU64>,
    pub(super) retries: Arc<AtomicU64>,
    pub(super) shares: Arc<Shares>,
    pub(super) turns: Arc<Turns>,
    /// The statement that begins a change of rows that other sessions may have locked.
    pub(super) change: SqlStr,
    pub(super) process: Arc<str>,
}

impl Store {
    /// Does not connect yet. Must be called inside the runtime.
    #[must_use]
    pub fn open(config: &Config, circuit: Arc<Circuit>) -> Self {
        let url = &config.database_url;
        // Statements with optional filters need a plan for the filters given, not a generic one.
        // The server cancels what we no longer wait for.
        let timeout = config.statement_timeout.as_millis().to_string();
        let process: Arc<str> = process_id().into();
        let connector = |plan| {
            let session = url.session(&[
                ("plan_cache_mode", plan),
                ("statement_timeout", timeout.as_str()),
                ("default_transaction_isolation", "read committed"),
                // A policy that would hide rows makes statements fail instead: a hidden key must not look like a wrong one.
                ("row_security", "off"),
                (PROCESS, &process),
            ]);
            Connector::new(session, config.statement_timeout)
        };
        let lanes = if url.pooled {
            0
        } else {
            lanes(config.pool_max)
        };
        let pool_max = config.pool_max - lanes;
        let pool = Arc::new(ConnectionPool::new(
            connector("force_custom_plan"),
            pool_max,
            config.statement_timeout,
        ));
        // Planning a lookup takes longer than the lookup, and its plan is always the same.
        let lanes = Lanes::new(connector("force_generic_plan"), lanes as usize);
        Self {
            listener: NotificationListener::of(config, pool.given_up()),
            pool,
            pool_max,
            circuit,
            pooled: url.pooled.then(|| begin(url, &timeout, &process)),
            deadline: config.statement_timeout,
            lookups: Arc::new(Lookups::new(lanes)),
            selects: Arc::default(),
            retries: Arc::default(),
            shares: Arc::new(Shares::of(pool_max)),
            turns: Arc::default(),
            change: begin_change(url, &timeout, &process, config.statement_timeout),
            process,
        }
    }

    /// Tells this process from others, in the database.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Opens connections for the first changes, with the statement of a creation planned, beside all else. Half of the pool
    /// at most: others need the rest. Whether it succeeds shows when they are needed.
    pub fn connect_beside(&self) {
        const COUNT: u32 = 3;
        for _ in 0..COUNT.min(self.pool_max / 2) {
            let store = self.clone();
            self.lookups.spawn(async move {
                let _ = store.insert_nothing().await;
            });
        }
    }

    /// The listener for notifications; `None` where none can be received.
    pub fn listener(&self) -> Option<NotificationListener> {
        self.listener.clone()
    }

    /// The number of rows read for presented keys so far.
    pub fn selects(&self) -> u64 {
        self.selects.load(Ordering::Relaxed)
    }

    /// The number of statements retried so far, after transient faults.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// The number of open connections, and of idle ones among them.
    pub fn connections(&self) -> (usize, usize) {
        let (pool, lanes) = (self.pool.connections(), self.lookups.lanes.connections());
        (pool.0 + lanes.0, pool.1 + lanes.1)
    }

    pub async fn close(&self) {
        self.lookups.close().await;
        self.pool.close().await;
    }

    pub fn circuit(&self) -> &Arc<Circuit> {
        &self.circuit
    }

    /// Replaces all connections, because they are no longer trusted.
    pub fn replace_connections(&self) {
        self.pool.replace();
    }

    /// Sees to it that the next statement finds a connection, although cancelled ones may hold theirs until they are answered.
    pub async fn leave_cancelled_statements(&self) {
        /// Without a lock in the way, they are answered sooner.
        const PATIENCE: Duration = Duration::from_millis(500);
        self.pool.replace_if_none_is_free(PATIENCE).await;
    }

    /// Replaces all connections after a freeze, unless that was done within this time.
    pub fn replace_after_freeze(&self, now: Moment, within: Duration) {
        self.pool.replace_after_freeze(now, within);
    }
}
