//! LISTEN, on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Executor, PgPool};
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Store;
use crate::config::Config;

/// The channel of the triggers.
const CHANNEL: &str = "sophra_api_keys";
const LISTEN: &str = "LISTEN sophra_api_keys";
/// After so long without a word the connection is asked whether it still stands: firewalls forget silent ones, and
/// tell nobody.
const SILENCE: Duration = Duration::from_secs(10);

/// Hears of changes; what has changed is read from the log.
#[derive(Clone)]
pub struct Ear {
    connect: PgConnectOptions,
    deadline: Duration,
    /// The connections of the store are no longer trusted, so this one is not either.
    given_up: Arc<Notify>,
    closed: CancellationToken,
}

impl Ear {
    /// `None`: behind a pooler in transaction mode nothing can be heard, unless there is a direct URL.
    pub(super) fn of(config: &Config, given_up: Arc<Notify>) -> Option<Self> {
        let direct = config
            .direct_database_url
            .as_ref()
            .filter(|url| !url.pooled);
        let url = direct
            .or(Some(&config.database_url))
            .filter(|url| !url.pooled)?;
        Some(Self {
            connect: url.session(&[]),
            deadline: config.statement_timeout,
            given_up,
            closed: CancellationToken::new(),
        })
    }

    /// Calls back once when it begins to hear, and then for each notification; returns when it no longer can.
    pub async fn hear(&self, heard: impl Fn()) -> Result<(), sqlx::Error> {
        tokio::select! {
            result = self.follow(heard) => result,
            () = self.given_up.notified() => Ok(()),
            () = self.closed.cancelled() => Ok(()),
        }
    }

    async fn follow(&self, heard: impl Fn()) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool()).await?;
        listener.execute(LISTEN).await?;
        heard();
        loop {
            let Ok(notification) = timeout(SILENCE, listener.try_recv()).await else {
                if self.answers(&mut listener).await {
                    continue;
                }
                return Ok(());
            };
            // A lost connection ends the waiting too: what was missed meanwhile is in the log.
            heard();
            if notification?.is_none() {
                return Ok(());
            }
            while listener.next_buffered().is_some() {}
        }
    }

    async fn answers(&self, listener: &mut PgListener) -> bool {
        matches!(
            timeout(self.deadline, listener.execute(LISTEN)).await,
            Ok(Ok(_))
        )
    }

    /// For one connection, which is never given to anybody else.
    fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.deadline)
            .connect_lazy_with(self.connect.clone())
    }

    /// Whether a notification that the store sends arrives here, on a channel that nobody else listens to.
    pub(super) async fn echo(&self, store: &Store) -> Result<bool, sqlx::Error> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let mut listener = PgListener::connect_with(&self.pool()).await?;
        let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut listener)
            .await?;
        let channel = format!("{CHANNEL}_echo_{process}");
        listener.listen(&channel).await?;
        store.notify(&channel).await?;
        let heard = tokio::time::timeout(PATIENCE, listener.recv()).await;
        heard.map_or(Ok(false), |heard| heard.map(|_| true))
    }

    pub(super) fn close(&self) {
        self.closed.cancel();
    }
}
