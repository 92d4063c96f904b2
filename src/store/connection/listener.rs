//! LISTEN, on a connection of its own.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Executor, PgPool};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::error::{Statement, StoreError};
use crate::config::Config;
use crate::error::Error;

/// The channel of the triggers.
pub(in crate::store) const CHANNEL: &str = "sophra_api_keys";
const LISTEN: &str = "LISTEN sophra_api_keys";
/// After so long without a word the connection is asked whether it still stands: firewalls forget silent ones, and
/// tell nobody.
const SILENCE: Duration = Duration::from_secs(10);

/// Hears of changes; what has changed is read from the log.
#[derive(Clone)]
pub struct NotificationListener {
    connect: PgConnectOptions,
    deadline: Duration,
    /// The connections of the store are no longer trusted, so this one is not either.
    given_up: Arc<Notify>,
}

impl NotificationListener {
    /// `None`: behind a pooler in transaction mode nothing can be heard, unless there is a direct URL.
    pub(in crate::store) fn of(config: &Config, given_up: Arc<Notify>) -> Option<Self> {
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
        })
    }

    /// Calls back once when it begins to hear, and then for each notification; returns when it no longer can.
    pub async fn listen(&self, notified: impl Fn()) -> Result<(), Error> {
        let statement = Statement {
            name: "listen",
            location: Location::caller(),
        };
        tokio::select! {
            result = self.follow(notified) => {
                result.map_err(|error| StoreError::Connect(error).into_fault(statement))
            }
            () = self.given_up.notified() => Ok(()),
        }
    }

    async fn follow(&self, notified: impl Fn()) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool()).await?;
        listener.execute(LISTEN).await?;
        notified();
        loop {
            let Ok(notification) = timeout(SILENCE, listener.try_recv()).await else {
                if self.answers(&mut listener).await {
                    continue;
                }
                return Ok(());
            };
            // A lost connection ends the waiting too: what was missed meanwhile is in the log.
            notified();
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
    pub(in crate::store) fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.deadline)
            .connect_lazy_with(self.connect.clone())
    }
}
