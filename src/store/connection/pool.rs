//! The pool of connections, which is replaced by a new one when its connections are no longer trusted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool, Postgres, SqlStr, Transaction};
use tokio::sync::{Notify, OnceCell};

use parking_lot::Mutex;

use super::error::StoreError;
use super::servers::{Connector, accepts_writes};
use crate::background::Background;
use crate::model::Moment;

/// The shortest interval between replacements of the pool because of unanswered statements, which may be at fault
/// themselves.
pub(in crate::store) const UNANSWERED: Duration = Duration::from_secs(10);
/// The shortest interval between replacements because a primary has become read-only: only new connections find the new
/// one.
pub(in crate::store) const DEMOTED: Duration = Duration::from_secs(1);
/// The time that replaced connections may take to close.
const GOODBYE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(in crate::store) struct ConnectionPool {
    connector: Connector,
    options: PgPoolOptions,
    current: ArcSwap<Generation>,
    replaced_at: Mutex<Option<Instant>>,
    /// When connections were last replaced because the process had been frozen.
    thawed_at: Mutex<Option<Moment>>,
    /// Counts the replacements.
    generation: AtomicU64,
    /// Notified whenever the connections are replaced.
    given_up: Arc<Notify>,
    /// Closes replaced connections.
    closing: Background,
}

/// The connections from one replacement to the next. All of them lead to the same server.
#[derive(Debug)]
struct Generation {
    pool: PgPool,
    /// Set once the server has been chosen, where there is a choice.
    chosen: OnceCell<()>,
}

impl Generation {
    fn new(options: &PgPoolOptions, connector: &Connector) -> Self {
        let connect = connector.current().clone();
        Self {
            pool: options.clone().connect_lazy_with(connect),
            chosen: OnceCell::new(),
        }
    }

    async fn pool(&self, connector: &Connector) -> Result<&PgPool, StoreError> {
        if connector.must_choose() {
            let choose = || async {
                connector.choose().await?;
                let connect = connector.current().clone();
                self.pool.set_connect_options(connect);
                Ok::<_, StoreError>(())
            };
            self.chosen.get_or_try_init(choose).await?;
        }
        Ok(&self.pool)
    }
}

impl ConnectionPool {
    /// Does not connect yet. Must be called inside the runtime.
    pub(in crate::store) fn new(connector: Connector, max: u32, acquire_timeout: Duration) -> Self {
        let mut options = PgPoolOptions::new()
            .max_connections(max)
            .acquire_timeout(acquire_timeout)
            // It would cost each statement a round trip. A connection that died idle is noticed by the statement instead.
            .test_before_acquire(false);
        if connector.must_choose() {
            options = options.after_connect(|connection, _| {
                Box::pin(async {
                    let accepted = accepts_writes(connection).await?;
                    let demoted = || sqlx::Error::Protocol("the server accepts no writes".into());
                    accepted.then_some(()).ok_or_else(demoted)
                })
            });
        }
        let current = Generation::new(&options, &connector);
        Self {
            connector,
            options,
            current: ArcSwap::from_pointee(current),
            replaced_at: Mutex::default(),
            thawed_at: Mutex::default(),
            generation: AtomicU64::new(0),
            given_up: Arc::default(),
            closing: Background::default(),
        }
    }

    /// Boxed, because it is the largest part of every operation and only needed while it waits.
    pub(in crate::store) async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let current = self.current.load_full();
        let acquire = async {
            let pool = current.pool(&self.connector).await?;
            let acquired = pool.acquire().await;
            acquired.map_err(|error| self.connector.trouble(error))
        };
        Box::pin(acquire).await
    }

    /// Begins a transaction. Nothing has taken effect if that fails, so a connection that died idle costs only another
    /// try.
    pub(in crate::store) async fn begin(
        &self,
        statement: Option<SqlStr>,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        let generation = self.generation();
        match self.try_begin(statement.clone()).await {
            Err(error) if error.is_broken() => {
                self.replace_generation(generation);
                self.try_begin(statement).await
            }
            result => result,
        }
    }

    async fn try_begin(
        &self,
        statement: Option<SqlStr>,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        let connection = self.acquire().await?;
        Ok(Transaction::begin(connection, statement).await?)
    }

    /// Whether a server answers. If it is another one than before, all connections are replaced.
    pub(in crate::store) async fn probe(&self) -> Result<(), StoreError> {
        let before = self.connector.position();
        let mut connection = self.connector.connect().await?;
        if self.connector.position() != before {
            self.replace();
        }
        sqlx::raw_sql("SELECT 1").execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// The error of a server that does not answer.
    pub(in crate::store) fn silence(&self) -> StoreError {
        self.connector.silence()
    }

    /// Replaces all connections at once. One in the middle of a statement would otherwise keep its slot until the
    /// timeout of a dead network.
    pub(in crate::store) fn replace(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.renew();
    }

    /// Replaces all connections of this generation, unless that was done: one of them was found dead, and others are likely
    /// to be dead too.
    pub(in crate::store) fn replace_generation(&self, seen: u64) {
        let (order, otherwise) = (Ordering::AcqRel, Ordering::Acquire);
        let next = seen + 1;
        if self
            .generation
            .compare_exchange(seen, next, order, otherwise)
            .is_ok()
        {
            self.renew();
        }
    }

    fn renew(&self) {
        *self.replaced_at.lock() = Some(Instant::now());
        if self.is_closed() {
            return;
        }
        let fresh = Generation::new(&self.options, &self.connector);
        let given_up = self.current.swap(fresh.into());
        self.given_up.notify_waiters();
        self.closing.spawn(async move {
            let _ = tokio::time::timeout(GOODBYE, given_up.pool.close()).await;
        });
    }

    /// Replaces all connections, unless that was done within `interval`. Called after a fault that the connections may
    /// have caused.
    pub(in crate::store) fn replace_if_older_than(&self, interval: Duration) {
        let replaced_at = *self.replaced_at.lock();
        if replaced_at.is_none_or(|at| at.elapsed() >= interval) {
            self.replace();
        }
    }

    /// Replaces all connections if none becomes free within this time. Called when nothing runs any more: then those of
    /// cancelled statements still wait for the answers, for a lock for example.
    pub(in crate::store) async fn replace_if_none_is_free(&self, within: Duration) {
        let (connections, idle) = self.connections();
        if idle > 0 || connections < self.options.get_max_connections() as usize {
            return;
        }
        if tokio::time::timeout(within, self.acquire()).await.is_err() {
            self.replace();
        }
    }

    /// Replaces all connections after a freeze, in which they may have died without a word, unless that was done within
    /// this time by either clock: that of the process may have stood still in the next freeze.
    pub(in crate::store) fn replace_after_freeze(&self, now: Moment, within: Duration) {
        let mut thawed_at = self.thawed_at.lock();
        if thawed_at.is_none_or(|at| now.since(at) >= within) {
            *thawed_at = Some(now);
            drop(thawed_at);
            self.replace();
        }
    }

    /// A connection of its own, for a statement that takes long.
    pub(in crate::store) async fn connect_apart(&self) -> Result<PgConnection, StoreError> {
        self.connector.connect().await
    }

    /// Connections of an earlier generation are not trusted.
    pub(in crate::store) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(in crate::store) fn given_up(&self) -> Arc<Notify> {
        Arc::clone(&self.given_up)
    }

    /// The numbers of all connections and of idle ones.
    pub(in crate::store) fn connections(&self) -> (usize, usize) {
        let pool = &self.current.load().pool;
        (pool.size().try_into().unwrap_or(0), pool.num_idle())
    }

    fn is_closed(&self) -> bool {
        self.current.load().pool.is_closed()
    }

    pub(in crate::store) async fn close(&self) {
        self.closing.stop().await;
        self.current.load_full().pool.close().await;
    }
}
