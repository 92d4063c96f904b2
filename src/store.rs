//! All SQL. One statement a function, macro-checked; rows are private, models go out.

mod admin;
mod db;
mod fault;
mod indexes;
mod keys;
mod lookup;
mod migrate;
mod signing;
mod timestamp;
mod usage;

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool, SqlSafeStr, SqlStr};

pub use keys::{Credential, Rotation};
pub use lookup::Candidate;
pub use migrate::{Migrated, migrate};
pub use usage::Batch;

use crate::config::{Config, DatabaseUrl, quoted};
use crate::error::Error;

/// A pooler forgets the settings of a session, so a transaction brings its own.
fn begin(url: &DatabaseUrl) -> SqlStr {
    let schema = url.schema.as_deref().map(quoted);
    let search_path = schema.map(|schema| format!("; SET LOCAL search_path = {schema}"));
    AssertSqlSafe(format!("BEGIN{}", search_path.unwrap_or_default())).into_sql_str()
}

/// The database, as the rest of the crate sees it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pool: PgPool,
    /// Behind a pooler in transaction mode: how each operation begins, see `db.rs`.
    pooled: Option<SqlStr>,
    deadline: Duration,
}

impl Store {
    /// Does not connect yet. Must be called inside the runtime.
    #[must_use]
    pub fn open(config: &Config) -> Self {
        let url = &config.database_url;
        // Statements with optional filters need a plan for the filters given, not a generic one.
        let connect = url.session(&[("plan_cache_mode", "force_custom_plan")]);
        let pool = PgPoolOptions::new()
            .max_connections(config.pool_max)
            .acquire_timeout(config.statement_timeout)
            .connect_lazy_with(connect);
        Self {
            pool,
            pooled: url.pooled.then(|| begin(url)),
            deadline: config.statement_timeout,
        }
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Whether the counter of uses is still as narrow as the app made it. Asked to learn whether the database
    /// answers, too.
    pub async fn usage_count_is_narrow(&self) -> Result<bool, Error> {
        self.once(|| async {
            sqlx::query_scalar!(
                r#"
                SELECT atttypid = 'integer'::regtype AS "narrow!"
                FROM pg_attribute
                WHERE attrelid = '"ApiKey"'::regclass AND attname = 'usageCount'
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await
        })
        .await
    }
}
