//! The connection and the server.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, SqlSafeStr};

use crate::config::{Config, DatabaseUrl, quoted};
use crate::error::Error;
use crate::model::Timestamp;
use crate::store::Store;
use crate::store::connection::error::StoreError;
use crate::store::connection::{CHANNEL, Connector, NoConnection, NotificationListener, Trouble};

/// Long, because counting reads whole tables.
const DEADLINE: Duration = Duration::from_secs(60);

/// The properties of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Whether the settings requested at start-up are in force; a pooler may drop them.
    pub keeps_settings: bool,
}

/// Tries the URL in the way the addon would use it. The error says why there is no connection, and what to do.
pub async fn connect(
    url: &DatabaseUrl,
    patience: Duration,
) -> Result<Access, (String, &'static str)> {
    const PROBE: &str = "59999";
    let session = url.session(&[("statement_timeout", PROBE)]);
    let is_alone = session.list.len() == 1;
    let connector = Connector::new(session, patience);
    let attempt = async {
        let mut connection = connector.connect().await?;
        let setting: i32 = sqlx::query_scalar(
            "SELECT setting::integer FROM pg_settings WHERE name = 'statement_timeout'",
        )
        .persistent(false)
        .fetch_one(&mut connection)
        .await
        .map_err(|error| connector.trouble(error))?;
        let _ = connection.close().await;
        Ok(Access {
            keeps_settings: setting.to_string() == PROBE,
        })
    };
    // Connecting may take all of the time; a statement gets as much again.
    match tokio::time::timeout(patience * 2, attempt).await {
        Ok(result) => result.map_err(|error| explain(&error, is_alone)),
        Err(_) => Err(explain(&connector.silence(), is_alone)),
    }
}

fn explain(error: &StoreError, is_alone: bool) -> (String, &'static str) {
    let troubles = match error {
        StoreError::Connect(troubles) => troubles.as_slice(),
        _ => &[],
    };
    let Some(first) = troubles.first() else {
        let unknown = NoConnection::NotPostgres;
        return (unknown.to_string(), unknown.remedy());
    };
    if is_alone {
        return (first.reason.to_string(), first.reason.remedy());
    }
    let each: Vec<String> = troubles.iter().map(Trouble::to_string).collect();
    (each.join("; "), first.reason.remedy())
}

/// The properties of the server.
pub struct Server {
    /// As in `server_version_num`.
    pub version: i32,
    pub version_text: String,
    pub is_standby: bool,
    pub is_read_only: bool,
    /// The server's clock.
    pub now: Timestamp,
}

/// The tables that exist.
pub struct Tables {
    pub api_key: bool,
    pub admin_token: bool,
    pub own_schema: bool,
    /// Other schemas that contain an `"ApiKey"`.
    pub elsewhere: Vec<String>,
    /// The schema in which unqualified names are looked up.
    pub schema: Option<String>,
}

impl Store {
    /// A store whose sessions are read-only.
    #[must_use]
    pub fn reading(config: &Config) -> Self {
        let url = &config.database_url;
        let mut begin = format!(
            "BEGIN READ ONLY; SET LOCAL row_security = on; SET LOCAL statement_timeout = {}",
            DEADLINE.as_millis()
        );
        if let Some(schema) = url.schema.as_deref() {
            let _ = write!(begin, "; SET LOCAL search_path = {}", quoted(schema));
        }
        Self {
            pooled: Some(AssertSqlSafe(begin).into_sql_str()),
            deadline: DEADLINE,
            ..Self::open(config, Arc::default())
        }
    }

    pub async fn server(&self) -> Result<Server, Error> {
        self.retryable("server", || async {
            let row = sqlx::query!(
                r#"
                SELECT
                  current_setting('server_version_num')::integer AS "version!",
                  current_setting('server_version') AS "version_text!",
                  pg_is_in_recovery() AS "is_standby!",
                  current_setting('default_transaction_read_only')::boolean AS "is_read_only!",
                  (clock_timestamp() AT TIME ZONE 'UTC') AS "now!: Timestamp"
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await?;
            Ok(Server {
                version: row.version,
                version_text: row.version_text,
                is_standby: row.is_standby,
                is_read_only: row.is_read_only,
                now: row.now,
            })
        })
        .await
    }

    pub async fn tables(&self) -> Result<Tables, Error> {
        self.retryable("tables", || async {
            sqlx::query_as!(
                Tables,
                r#"
                SELECT
                  to_regclass('"ApiKey"') IS NOT NULL AS "api_key!",
                  to_regclass('"AdminToken"') IS NOT NULL AS "admin_token!",
                  EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'sophra_api_keys') AS "own_schema!",
                  ARRAY(
                    SELECT nspname::text
                    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                    WHERE relname = 'ApiKey' AND relkind IN ('r', 'p') AND NOT pg_table_is_visible(pg_class.oid)
                    ORDER BY nspname
                  ) AS "elsewhere!",
                  current_schema()::text AS "schema"
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    async fn notify(&self, channel: &str) -> Result<(), StoreError> {
        let mut db = self.db().await?;
        sqlx::query!(r#"SELECT pg_notify($1, '')::text AS "sent""#, channel)
            .fetch_one(&mut db)
            .await?;
        db.commit().await
    }

    /// Whether notifications arrive; `None` if the store listens for none.
    pub async fn notifications_arrive(&self) -> Option<Result<bool, Error>> {
        let listener = self.listener()?;
        Some(
            self.retryable("notifications_arrive", || self.round_trip(&listener))
                .await,
        )
    }

    /// Whether a notification sent by the store arrives here. Uses a channel of its own.
    async fn round_trip(&self, listener: &NotificationListener) -> Result<bool, StoreError> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let mut connection = listener.connect().await?;
        let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut connection)
            .await?;
        let channel = format!("{CHANNEL}_round_trip_{process}");
        connection.listen(&channel).await?;
        self.notify(&channel).await?;
        let received = tokio::time::timeout(PATIENCE, connection.recv()).await;
        Ok(match received {
            Ok(received) => received.map(|_| true)?,
            Err(_) => false,
        })
    }
}
