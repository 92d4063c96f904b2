//! The pool of connections, replaced by a new one when its connections are no longer trusted.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgPool, Postgres, SqlStr, Transaction};
use tokio::sync::Notify;

use super::fault::connecting;
use crate::lock::locked;

/// A pool is given up at most this often where statements go unanswered: it may be their own fault.
pub(super) const UNANSWERED: Duration = Duration::from_secs(10);
/// And this often where a primary has become read-only: the new one is found by new connections alone.
pub(super) const DEMOTED: Duration = Duration::from_secs(1);
/// How long connections that are given up may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pool {
    connect: PgConnectOptions,
    options: PgPoolOptions,
    current: ArcSwap<PgPool>,
    renewed_at: Mutex<Option<Instant>>,
    /// Told whenever the connections are given up.
    given_up: Arc<Notify>,
}

impl Pool {
    /// Does not connect yet. Must be called inside the runtime.
    pub(super) fn new(connect: PgConnectOptions, max: u32, acquire_timeout: Duration) -> Self {
        let options = PgPoolOptions::new()
            .max_connections(max)
            .acquire_timeout(acquire_timeout);
        let current = options.clone().connect_lazy_with(connect.clone());
        Self {
            connect,
            options,
            current: ArcSwap::from_pointee(current),
            renewed_at: Mutex::default(),
            given_up: Arc::default(),
        }
    }

    /// In a box: it is the largest part of every operation, and only needed while it waits.
    pub(super) async fn acquire(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        let pool = self.current.load_full();
        Box::pin(pool.acquire()).await.map_err(connecting)
    }

    pub(super) async fn begin(
        &self,
        statement: Option<SqlStr>,
    ) -> sqlx::Result<Transaction<'static, Postgres>> {
        let pool = self.current.load_full();
        let transaction = match statement {
            Some(statement) => Box::pin(pool.begin_with(statement)).await,
            None => Box::pin(pool.begin()).await,
        };
        transaction.map_err(connecting)
    }

    pub(super) async fn probe(&self) -> sqlx::Result<()> {
        let mut connection = self.connect.connect().await.map_err(connecting)?;
        sqlx::raw_sql("SELECT 1").execute(&mut connection).await?;
        connection.close().await
    }

    /// Gives up all connections at once. One that is in the middle of a statement would hold its place for as long as
    /// a dead network is waited for.
    pub(super) fn renew(&self) {
        *locked(&self.renewed_at) = Some(Instant::now());
        if self.is_closed() {
            return;
        }
        let fresh = self.options.clone().connect_lazy_with(self.connect.clone());
        let given_up = self.current.swap(fresh.into());
        self.given_up.notify_waiters();
        tokio::spawn(async move { tokio::time::timeout(GOODBYE, given_up.close()).await });
    }

    /// The same unless it was done within `interval`: after a fault that may lie in the connections.
    pub(super) fn distrust(&self, interval: Duration) {
        let renewed_at = *locked(&self.renewed_at);
        if renewed_at.is_none_or(|at| at.elapsed() >= interval) {
            self.renew();
        }
    }

    pub(super) fn given_up(&self) -> Arc<Notify> {
        Arc::clone(&self.given_up)
    }

    /// All and idle ones.
    pub(super) fn connections(&self) -> (usize, usize) {
        let pool = self.current.load();
        (pool.size().try_into().unwrap_or(0), pool.num_idle())
    }

    pub(super) fn is_closed(&self) -> bool {
        self.current.load().is_closed()
    }

    pub(super) async fn close(&self) {
        self.current.load_full().close().await;
    }
}
