//! LISTEN, on a connection of its own.

use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::Store;
use crate::config::Config;

/// The channel of the triggers.
const CHANNEL: &str = "sophra_api_keys";

/// Hears of changes; what has changed is read from the log.
#[derive(Clone)]
pub struct Ear(PgPool);

impl Ear {
    /// `None`: behind a pooler in transaction mode nothing can be heard, unless there is a direct URL.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let direct = config
            .direct_database_url
            .as_ref()
            .filter(|url| !url.pooled);
        let url = direct
            .or(Some(&config.database_url))
            .filter(|url| !url.pooled)?;
        let options = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(config.statement_timeout);
        Some(Self(options.connect_lazy_with(url.session(&[]))))
    }

    /// Calls back once when it begins to hear, and then for each notification; returns when it no longer can.
    pub async fn hear(&self, heard: impl Fn()) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.0).await?;
        listener.listen(CHANNEL).await?;
        loop {
            heard();
            // A lost connection ends the waiting too: what was missed meanwhile is in the log.
            if listener.try_recv().await?.is_none() {
                heard();
                return Ok(());
            }
            while listener.next_buffered().is_some() {}
        }
    }

    /// Whether a notification that the store sends arrives here, on a channel that nobody else listens to.
    pub(super) async fn echo(&self, store: &Store) -> Result<bool, sqlx::Error> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let mut listener = PgListener::connect_with(&self.0).await?;
        let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut listener)
            .await?;
        let channel = format!("{CHANNEL}_echo_{process}");
        listener.listen(&channel).await?;
        store.notify(&channel).await?;
        let heard = tokio::time::timeout(PATIENCE, listener.recv()).await;
        heard.map_or(Ok(false), |heard| heard.map(|_| true))
    }

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}
