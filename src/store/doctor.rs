//! The questions of `doctor` to a database, which may be in any state. Every operation is a read-only transaction.

mod rows;
mod schema;

pub use rows::Unreadable;
pub use schema::{Column, Trigger};

use std::fmt::Write;
use std::io::ErrorKind;
use std::time::Duration;

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlSafeStr};

use super::Store;
use crate::config::{Config, DatabaseUrl, quoted};
use crate::error::Error;
use crate::model::Timestamp;

/// The time limit of a statement. Counting reads whole tables.
const DEADLINE: Duration = Duration::from_secs(60);

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoAccess {
    /// No server can be reached at this address, with the reason.
    Unreachable(&'static str),
    Tls,
    /// The user or the password has characters that no server accepts.
    Unprintable,
    /// The server refused the connection, with this SQLSTATE.
    Refused(String),
    Silent,
    Unknown,
}

/// A property of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Whether settings given at the start of a session are in force. Some poolers drop them.
    pub keeps_settings: bool,
}

/// Connects to the URL in the way in which the service would.
pub async fn connect(url: &DatabaseUrl, patience: Duration) -> Result<Access, NoAccess> {
    const PROBE: &str = "59999";
    let options = url.session(&[("statement_timeout", PROBE)]);
    let attempt = async {
        let mut connection = options.connect().await?;
        let setting: i32 = sqlx::query_scalar(
            "SELECT setting::integer FROM pg_settings WHERE name = 'statement_timeout'",
        )
        .persistent(false)
        .fetch_one(&mut connection)
        .await?;
        let _ = connection.close().await;
        Ok(Access {
            keeps_settings: setting.to_string() == PROBE,
        })
    };
    match tokio::time::timeout(patience, attempt).await {
        Ok(result) => result.map_err(|error| reason(&error)),
        Err(_) => Err(NoAccess::Silent),
    }
}

fn reason(error: &sqlx::Error) -> NoAccess {
    match error {
        sqlx::Error::Io(error) => NoAccess::Unreachable(match error.kind() {
            ErrorKind::ConnectionRefused => "nobody listens there",
            ErrorKind::TimedOut => "it does not answer",
            ErrorKind::NotFound => "there is no such socket",
            _ => "the host is unknown or cannot be reached",
        }),
        sqlx::Error::Tls(_) => NoAccess::Tls,
        sqlx::Error::Database(error) => {
            NoAccess::Refused(error.code().unwrap_or_default().into_owned())
        }
        sqlx::Error::Configuration(_) => NoAccess::Unprintable,
        _ => NoAccess::Unknown,
    }
}

/// The server.
pub struct Server {
    /// The value of `server_version_num`.
    pub version: i32,
    pub version_text: String,
    pub is_standby: bool,
    pub is_read_only: bool,
    /// The time of its clock.
    pub now: Timestamp,
}

/// The tables and schemas that exist.
pub struct Tables {
    pub api_key: bool,
    pub admin_token: bool,
    pub own_schema: bool,
    /// Other schemas that have an `"ApiKey"`.
    pub elsewhere: Vec<String>,
    /// The schema in which unqualified names are looked up.
    pub schema: Option<String>,
}

impl Store {
    /// A store that cannot write.
    #[must_use]
    pub fn reading(config: &Config) -> Self {
        let url = &config.database_url;
        let mut begin = format!(
            "BEGIN READ ONLY; SET LOCAL statement_timeout = {}",
            DEADLINE.as_millis()
        );
        if let Some(schema) = url.schema.as_deref() {
            let _ = write!(begin, "; SET LOCAL search_path = {}", quoted(schema));
        }
        Self {
            pooled: Some(AssertSqlSafe(begin).into_sql_str()),
            deadline: DEADLINE,
            ..Self::open(config)
        }
    }

    pub async fn server(&self) -> Result<Server, Error> {
        self.once(|| async {
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
        self.once(|| async {
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
        })
        .await
    }

    pub(super) async fn notify(&self, channel: &str) -> sqlx::Result<()> {
        let mut db = self.db().await?;
        sqlx::query!(r#"SELECT pg_notify($1, '')::text AS "sent""#, channel)
            .fetch_one(&mut db)
            .await?;
        db.commit().await
    }

    /// Whether notifications arrive. `None` if this store listens for none.
    pub async fn hears(&self) -> Option<Result<bool, Error>> {
        let ear = self.ear()?;
        Some(self.once(|| ear.echo(self)).await)
    }
}
