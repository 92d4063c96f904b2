//! Connections to the first usable server of a URL. With several hosts that is the primary: after a failover, another.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::time::timeout;

use super::error::StoreError;
use super::trouble::{NoConnection, Trouble};
use crate::config::Servers;

/// The servers of a URL, and which one was last found usable. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::store) struct Connector {
    servers: Arc<Servers>,
    current: Arc<AtomicUsize>,
    /// The time that finding a usable server may take.
    patience: Duration,
}

impl Connector {
    pub(in crate::store) fn new(servers: Servers, patience: Duration) -> Self {
        Self {
            servers: Arc::new(servers),
            current: Arc::default(),
            patience,
        }
    }

    /// The server that was last found usable; at first, the first one.
    pub(in crate::store) fn current(&self) -> &PgConnectOptions {
        &self.servers.list[self.position()]
    }

    pub(in crate::store) fn position(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn silence(&self) -> StoreError {
        let trouble = Trouble::without_error(self.current(), NoConnection::Silent);
        StoreError::Connect(vec![trouble])
    }

    /// Whether a server has to be asked before it is used.
    pub(in crate::store) fn must_choose(&self) -> bool {
        self.servers.must_write
    }

    /// Connects to the first usable server.
    pub(in crate::store) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let list = &self.servers.list;
        // A host that is silent must leave time for the others.
        let share = self.patience / u32::try_from(list.len()).unwrap_or(u32::MAX);
        let mut troubles = Vec::new();
        for (at, server) in list.iter().enumerate() {
            let trouble = match timeout(share, self.open(server)).await {
                Ok(Ok(connection)) => {
                    self.current.store(at, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::without_error(server, NoConnection::Silent),
            };
            troubles.push(trouble);
        }
        Err(StoreError::Connect(troubles))
    }

    /// Finds the first usable server again.
    pub(in crate::store) async fn choose(&self) -> Result<(), StoreError> {
        let connection = self.connect().await?;
        let _ = connection.close().await;
        Ok(())
    }

    async fn open(&self, server: &PgConnectOptions) -> Result<PgConnection, Trouble> {
        let trouble = |error| Trouble::new(server, error);
        let mut connection = server.connect().await.map_err(trouble)?;
        if self.servers.must_write && !accepts_writes(&mut connection).await.map_err(trouble)? {
            let _ = connection.close().await;
            return Err(Trouble::without_error(server, NoConnection::ReadOnly));
        }
        Ok(connection)
    }

    /// The reason why the current server gave no connection.
    pub(in crate::store) fn trouble(&self, error: sqlx::Error) -> StoreError {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => StoreError::Sql(error),
            error => StoreError::Connect(vec![Trouble::new(self.current(), error)]),
        }
    }
}

/// Whether the server is a primary that is not read-only, as `target_session_attrs=read-write` means.
pub(in crate::store) async fn accepts_writes(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT NOT pg_is_in_recovery() AND NOT current_setting('default_transaction_read_only')::boolean",
    )
    .persistent(false)
    .fetch_one(connection)
    .await
}
