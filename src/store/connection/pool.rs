//! The pool of connections, which is replaced by a new one when its connections are no longer trusted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool, Postgres, SqlStr, Transaction};
use tokio::sync::Notify;

use parking_lot::Mutex;

use super::error::StoreError;
use crate::background::Background;

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
    connect: PgConnectOptions,
    options: PgPoolOptions,
    current: ArcSwap<PgPool>,
    replaced_at: Mutex<Option<Instant>>,
    /// Notified whenever the connections are replaced.
    given_up: Arc<Notify>,
    /// Closes replaced connections.
    closing: Background,
}

impl ConnectionPool {
    /// Does not connect yet. Must be called inside the runtime.
    pub(in crate::store) fn new(
        connect: PgConnectOptions,
        max: u32,
        acquire_timeout: Duration,
    ) -> Self {
        let options = PgPoolOptions::new()
            .max_connections(max)
            .acquire_timeout(acquire_timeout);
        let current = options.clone().connect_lazy_with(connect.clone());
        Self {
            connect,
            options,
            current: ArcSwap::from_pointee(current),
            replaced_at: Mutex::default(),
            given_up: Arc::default(),
            closing: Background::default(),
        }
    }

    /// Boxed, because it is the largest part of every operation and only needed while it waits.
    pub(in crate::store) async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        let pool = self.current.load_full();
        Box::pin(pool.acquire()).await.map_err(StoreError::Connect)
    }

    pub(in crate::store) async fn begin(
        &self,
        statement: Option<SqlStr>,
    ) -> Result<Transaction<'static, Postgres>, StoreError> {
        let pool = self.current.load_full();
        let transaction = match statement {
            Some(statement) => Box::pin(pool.begin_with(statement)).await,
            None => Box::pin(pool.begin()).await,
        };
        transaction.map_err(StoreError::Connect)
    }

    pub(in crate::store) async fn probe(&self) -> Result<(), StoreError> {
        let mut connection = self.connect.connect().await.map_err(StoreError::Connect)?;
        sqlx::raw_sql("SELECT 1").execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// Replaces all connections at once. One in the middle of a statement would otherwise keep its slot until the
    /// timeout of a dead network.
    pub(in crate::store) fn replace(&self) {
        *self.replaced_at.lock() = Some(Instant::now());
        if self.is_closed() {
            return;
        }
        let fresh = self.options.clone().connect_lazy_with(self.connect.clone());
        let given_up = self.current.swap(fresh.into());
        self.given_up.notify_waiters();
        self.closing.spawn(async move {
            let _ = tokio::time::timeout(GOODBYE, given_up.close()).await;
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

    pub(in crate::store) fn given_up(&self) -> Arc<Notify> {
        Arc::clone(&self.given_up)
    }

    /// The numbers of all connections and of idle ones.
    pub(in crate::store) fn connections(&self) -> (usize, usize) {
        let pool = self.current.load();
        (pool.size().try_into().unwrap_or(0), pool.num_idle())
    }

    fn is_closed(&self) -> bool {
        self.current.load().is_closed()
    }

    pub(in crate::store) async fn close(&self) {
        self.closing.stop().await;
        self.current.load_full().close().await;
    }
}
