//! LISTEN, on a connection of its own.

use sqlx::PgPool;
use sqlx::postgres::{PgListener, PgPoolOptions};

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

    pub(super) async fn close(&self) {
        self.0.close().await;
    }
}
