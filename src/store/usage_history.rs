//! Usage over time, in quarters of an hour and in hours.

use super::connection::Share;
use super::connection::error::StoreError;
use super::handle::Store;
use super::webhooks::RawJson;
use crate::error::Error;
use crate::model::UsageQuery;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsageProblem {
    /// There is no such time zone.
    TimeZone,
    /// The range ends before it begins.
    Order,
    /// A bucket begins within an hour that is kept as a whole only.
    Cut,
    /// There would be too many rows.
    Rows,
}

impl Store {
    /// Adds what flushes have stored to the usage over time, a part of it. Returns whether there is more to do; not if another
    /// process is at it, unless this one waits for it.
    pub async fn fold_usage(&self, part: i32, waits: bool) -> Result<bool, Error> {
        self.retryable_when_admitted(Share::Manage, "fold_usage", || async {
            let mut db = self.db().await?;
            let has_more =
                sqlx::query_scalar!("SELECT sophra_api_keys.fold_usage($1, $2)", part, waits)
                    .fetch_one(&mut db)
                    .await;
            Ok(db.settle(has_more).await?.unwrap_or(false))
        })
        .await
    }

    /// The usage that the query asks for, in at most so many rows.
    pub async fn usage(
        &self,
        query: &UsageQuery,
        rows_max: i32,
    ) -> Result<Result<RawJson, UsageProblem>, Error> {
        let groups: Vec<String> = query.group_by.iter().map(|by| (*by).to_owned()).collect();
        let answer = self.retryable_when_admitted(Share::Manage, "usage", || async {
            sqlx::query!(
                r#"
                SELECT usage AS "rows: RawJson", problem FROM sophra_api_keys.get_usage(
                  $1, $2, $3::timestamp AT TIME ZONE 'UTC', $4::timestamp AT TIME ZONE 'UTC', $5, $6, $7, $8, $9, $10
                )
                "#,
                query.key_id,
                query.client_id,
                query.from.at as _,
                query.to.at as _,
                query.from.is_day,
                query.to.is_day,
                query.bucket,
                &groups,
                query.time_zone,
                rows_max,
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        });
        let answer = answer.await?;
        Ok(answer.rows.ok_or(match answer.problem.as_deref() {
            Some("timeZone") => UsageProblem::TimeZone,
            Some("order") => UsageProblem::Order,
            Some("cut") => UsageProblem::Cut,
            _ => UsageProblem::Rows,
        }))
    }

    /// The closed hours after this one.
    pub async fn export_usage(&self, after: i64, limit: i32) -> Result<RawJson, Error> {
        self.retryable_when_admitted(Share::Manage, "export_usage", || async {
            sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.export_usage($1, $2) AS "rows!: RawJson""#,
                after,
                limit,
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// Deletes a part of what is older than these days. Returns whether there may be more.
    pub async fn prune_usage_history(
        &self,
        quarter_days: i32,
        hour_days: i32,
    ) -> Result<bool, Error> {
        /// Rows per statement, so that none takes too long.
        const PART: i32 = 10_000;
        self.retryable("prune_usage_history", || async {
            let mut db = self.db().await?;
            let has_more = sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.prune_usage_history($1, $2, $3) AS "has_more!""#,
                quarter_days,
                hour_days,
                PART,
            )
            .fetch_one(&mut db)
            .await;
            db.settle(has_more).await
        })
        .await
    }
}
