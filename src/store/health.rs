//! The state of the tables, and whether the database answers.

use std::time::Duration;

use tokio::time::timeout;

use super::connection::error::{Statement, StoreError};
use super::handle::Store;
use crate::error::Error;

/// The state of the tables.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// The counter of uses still has the narrower type of the app's own schema.
    pub usage_count_is_narrow: bool,
    /// Rows of old instances that hold plaintext, counted up to 10,000 per table.
    pub plaintext_rows: i64,
    /// Usage over time is far behind what flushes have stored, or ahead of the clock.
    pub usage_is_behind: bool,
    /// Deliveries to webhooks are overdue.
    pub webhooks_are_behind: bool,
}

impl Store {
    /// Checks that the server answers, over a connection of its own.
    pub async fn probe(&self) -> Result<(), Error> {
        const PATIENCE: Duration = Duration::from_secs(1);
        let statement = Statement::named("probe");
        match timeout(self.deadline.min(PATIENCE), self.pool.probe()).await {
            // Too many connections or a wrong password is an answer too.
            Ok(Err(error)) if !error.is_no_answer() => Ok(()),
            Ok(result) => result.map_err(|error| error.into_fault(statement)),
            Err(_) => Err(self.pool.silence().into_fault(statement)),
        }
    }

    /// Reads what an operator should know; this also shows that the database answers. Plaintext rows are counted only
    /// where there should be none, and only as far as it takes little time.
    pub async fn condition(&self, count_plaintext: bool) -> Result<Condition, Error> {
        self.retryable("condition", || async {
            sqlx::query_as!(
                Condition,
                r#"
                SELECT
                  atttypid = 'integer'::regtype AS "usage_count_is_narrow!",
                  CASE WHEN $1 THEN
                    (
                      SELECT count(*) FROM (
                        SELECT FROM "ApiKey"
                        WHERE "lookup" IS NULL
                          AND "key" !~ '^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$'
                          AND "key" NOT LIKE '$import$%'
                        LIMIT 10000
                      ) AS keys
                    ) + (
                      SELECT count(*) FROM "ApiKey" WHERE "lookup" IS NOT NULL AND "key" NOT LIKE '$argon2id$%' AND "key" NOT LIKE '$import$%'
                    ) + (
                      SELECT count(*) FROM (
                        SELECT FROM "AdminToken"
                        WHERE "token" NOT LIKE 'sha256:%'
                        LIMIT 10000
                      ) AS tokens
                    )
                  ELSE 0 END AS "plaintext_rows!",
                  EXISTS (SELECT FROM sophra_api_keys.usage_log WHERE stored_at < now() - interval '10 minutes')
                    OR EXISTS (
                      SELECT FROM sophra_api_keys.usage_state AS state
                      WHERE state.closed_until > now() OR EXISTS (
                        SELECT FROM sophra_api_keys.usage_quarters
                        WHERE quarter >= state.closed_until AND quarter < now() - interval '3 hours'
                      )
                    ) AS "usage_is_behind!",
                  sophra_api_keys.deliveries_are_late() AS "webhooks_are_behind!"
                FROM pg_attribute
                WHERE attrelid = '"ApiKey"'::regclass AND attname = 'usageCount'
                "#,
                count_plaintext,
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }
}
