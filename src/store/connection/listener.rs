//! Listens for notifications, on a connection of its own.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::error::{Statement, StoreError};
use super::servers::Connector;
use crate::config::Config;
use crate::error::Error;

/// The channel that the triggers notify.
pub(in crate::store) const CHANNEL: &str = "sophra_api_keys";
const LISTEN: &str = "LISTEN sophra_api_keys";
/// The connection is checked after this much silence: firewalls drop silent connections without closing them.
const SILENCE: Duration = Duration::from_secs(10);

/// What a notification is about.
pub enum Notice<'a> {
    /// The change log has entries.
    Changes,
    /// Another process needs units of the quota with this id.
    Recall(&'a str),
}

/// Listens for notifications. What has changed is read from the log.
#[derive(Clone)]
pub struct NotificationListener {
    connector: Connector,
    deadline: Duration,
    /// Notified when the store replaces its connections, since this one cannot be trusted then either.
    given_up: Arc<Notify>,
}

impl<'a> Notice<'a> {
    fn of(payload: &'a str) -> Self {
        if payload.is_empty() {
            Self::Changes
        } else {
            Self::Recall(payload)
        }
    }
}

impl NotificationListener {
    /// `None` behind a pooler in transaction mode without a direct URL: notifications cannot be received there.
    pub(in crate::store) fn of(config: &Config, given_up: Arc<Notify>) -> Option<Self> {
        let direct = config
            .direct_database_url
            .as_ref()
            .filter(|url| !url.pooled);
        let url = direct
            .or(Some(&config.database_url))
            .filter(|url| !url.pooled)?;
        Some(Self {
            connector: Connector::new(url.session(&[]), config.statement_timeout),
            deadline: config.statement_timeout,
            given_up,
        })
    }

    /// Calls `notified` once when listening begins, and then for each notification. Returns when the connection is
    /// lost.
    pub async fn listen(&self, notified: impl Fn(Notice<'_>)) -> Result<(), Error> {
        let statement = Statement::named("listen");
        tokio::select! {
            result = self.follow(notified) => {
                result.map_err(|error| error.into_fault(statement))
            }
            () = self.given_up.notified() => Ok(()),
        }
    }

    async fn follow(&self, notified: impl Fn(Notice<'_>)) -> Result<(), StoreError> {
        let mut listener = self.connect().await?;
        listener.execute(LISTEN).await?;
        notified(Notice::Changes);
        loop {
            let Ok(notification) = timeout(SILENCE, listener.try_recv()).await else {
                if self.answers(&mut listener).await {
                    continue;
                }
                return Ok(());
            };
            let Ok(Some(notification)) = notification else {
                // A lost connection wakes the reader too: whatever was missed is in the log.
                notified(Notice::Changes);
                return Ok(notification.map(drop)?);
            };
            notified(Notice::of(notification.payload()));
            while let Some(notification) = listener.next_buffered() {
                notified(Notice::of(notification.payload()));
            }
        }
    }

    async fn answers(&self, listener: &mut PgListener) -> bool {
        matches!(
            timeout(self.deadline, listener.execute(LISTEN)).await,
            Ok(Ok(_))
        )
    }

    /// A listener on a connection of its own, to the server that accepts writes.
    pub(in crate::store) async fn connect(&self) -> Result<PgListener, StoreError> {
        if self.connector.must_choose() {
            self.connector.choose().await?;
        }
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(self.deadline)
            .connect_lazy_with(self.connector.current().clone());
        let connected = PgListener::connect_with(&pool).await;
        connected.map_err(|error| self.connector.trouble(error))
    }
}
