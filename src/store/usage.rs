//! The usage flush: one statement, applied exactly once, that also adds to the fleet totals of the rate limits.

use std::time::Duration;

use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;
use crate::model::{FleetTotal, Timestamp, UsageBatch};

/// The outcome of a batch.
#[derive(Debug)]
pub struct StoredBatch {
    /// Keys whose rows were locked: they were left out, so that a flush never waits and is never waited for.
    pub skipped: Vec<String>,
    pub totals: Vec<FleetTotal>,
}

/// A batch as parallel lists: one set for all its keys, one for those that have a limit.
struct Lists {
    ids: Vec<String>,
    uses: Vec<i64>,
    last_used: Vec<Timestamp>,
    spenders: Vec<String>,
    costs: Vec<i64>,
    epochs: Vec<i32>,
    full_at: Vec<Timestamp>,
}

impl Lists {
    fn of(batch: &UsageBatch, returns_in: impl Fn(&str, i64) -> Duration, now: Timestamp) -> Self {
        let (ids, all): (Vec<_>, Vec<_>) = batch.uses.iter().cloned().unzip();
        let costly = batch.uses.iter().filter(|(_, counted)| counted.cost > 0);
        let (spenders, spent): (Vec<_>, Vec<_>) = costly.cloned().unzip();
        let costs: Vec<i64> = spent.iter().map(|counted| counted.cost).collect();
        let full_at = |(id, cost): (&String, &i64)| now.plus(returns_in(id, *cost));
        Self {
            ids,
            uses: all.iter().map(|counted| counted.uses).collect(),
            last_used: all.iter().map(|counted| counted.last_used).collect(),
            full_at: spenders.iter().zip(&costs).map(full_at).collect(),
            spenders,
            costs,
            epochs: spent.iter().map(|counted| counted.generation).collect(),
        }
    }
}

impl Store {
    /// Adds the batch to the rows, unless it was added before: its number is checked and set in the same statement.
    /// `returns_in` gives the time in which the spent part of a limit is available again. `"updatedAt"` stays as it is;
    /// a counter that is still INTEGER saturates.
    #[expect(clippy::too_many_lines)] // One statement.
    pub async fn add_usage(
        &self,
        process: &str,
        batch: &UsageBatch,
        returns_in: impl Fn(&str, i64) -> Duration,
        now: Timestamp,
    ) -> Result<StoredBatch, Error> {
        let lists = Lists::of(batch, returns_in, now);
        self.retryable("add_usage", || async {
            let mut db = self.db().await?;
            let row = sqlx::query!(
                r#"
                WITH
                  used AS MATERIALIZED (
                    SELECT id, uses, last_used
                    FROM unnest($3::text[], $4::bigint[], $5::timestamp[]) AS listed (id, uses, last_used)
                  ),
                  spending AS MATERIALIZED (
                    SELECT id, cost, epoch, full_at
                    FROM unnest($6::text[], $7::bigint[], $8::integer[], $9::timestamp[])
                      AS listed (id, cost, epoch, full_at)
                  ),
                  free AS MATERIALIZED (
                    SELECT key."id", used.uses, used.last_used
                    FROM "ApiKey" AS key JOIN used ON used.id = key."id"
                    WHERE NOT EXISTS (
                      SELECT FROM sophra_api_keys.usage_batches WHERE process = $1 AND batch >= $2
                    )
                    ORDER BY key."id"
                    FOR NO KEY UPDATE OF key SKIP LOCKED
                  ),
                  fresh AS (
                    INSERT INTO sophra_api_keys.usage_batches AS known (process, batch, skipped)
                    SELECT $1, $2, ARRAY(
                      SELECT used.id FROM used JOIN "ApiKey" AS key ON key."id" = used.id
                      WHERE used.id NOT IN (SELECT free."id" FROM free)
                    )
                    ON CONFLICT (process) DO UPDATE
                    SET batch = excluded.batch, skipped = excluded.skipped, applied_at = now()
                    WHERE known.batch < excluded.batch
                    RETURNING skipped
                  ),
                  added AS (
                    UPDATE "ApiKey" AS key SET
                      "usageCount" = least(
                        key."usageCount"::bigint + free.uses,
                        CASE WHEN pg_typeof(key."usageCount") = 'integer'::regtype
                          THEN 2147483647 ELSE 9223372036854775807 END
                      ),
                      "lastUsedAt" = greatest(key."lastUsedAt", free.last_used)
                    FROM free
                    WHERE key."id" = free."id" AND EXISTS (SELECT FROM fresh)
                  ),
                  before AS MATERIALIZED (
                    SELECT key_id, epoch, spent, full_at FROM sophra_api_keys.spent WHERE key_id = ANY($6)
                  ),
                  spent AS (
                    INSERT INTO sophra_api_keys.spent AS known (key_id, epoch, spent, full_at)
                    SELECT spending.id, spending.epoch, spending.cost, spending.full_at
                    FROM spending CROSS JOIN fresh
                    WHERE spending.id <> ALL (fresh.skipped)
                    ORDER BY spending.id
                    ON CONFLICT (key_id) DO UPDATE SET
                      epoch = excluded.epoch,
                      spent = excluded.spent + CASE WHEN known.epoch = excluded.epoch THEN known.spent ELSE 0 END,
                      full_at = excluded.full_at + CASE WHEN known.epoch = excluded.epoch
                        THEN greatest(known.full_at - $10, interval '0') ELSE interval '0' END
                    WHERE known.epoch <= excluded.epoch
                    RETURNING key_id, epoch, spent, full_at
                  ),
                  total AS MATERIALIZED (
                    -- Without what this batch has added: the time of the others. Not by the row as it was before, since
                    -- somebody may have come between.
                    SELECT known.key_id, known.epoch, known.spent,
                      known.full_at - (spending.full_at - $10) AS full_at
                    FROM (
                      SELECT key_id, epoch, spent, full_at FROM spent
                      UNION ALL
                      -- Stored by an earlier try.
                      SELECT key_id, epoch, spent, full_at FROM before
                      WHERE NOT EXISTS (SELECT FROM fresh)
                    ) AS known
                    JOIN spending ON spending.id = known.key_id
                  )
                SELECT
                  coalesce(
                    (SELECT skipped FROM fresh),
                    (SELECT skipped FROM sophra_api_keys.usage_batches WHERE process = $1 AND batch = $2)
                  ) AS "skipped",
                  ARRAY(SELECT key_id FROM total ORDER BY key_id) AS "key_ids!",
                  ARRAY(SELECT epoch FROM total ORDER BY key_id) AS "epochs!",
                  ARRAY(SELECT spent FROM total ORDER BY key_id) AS "totals!",
                  ARRAY(SELECT full_at FROM total ORDER BY key_id) AS "full_at!: Vec<Option<Timestamp>>"
                "#,
                process,
                batch.number,
                &lists.ids,
                &lists.uses,
                &lists.last_used as _,
                &lists.spenders,
                &lists.costs,
                &lists.epochs,
                &lists.full_at as _,
                now as _,
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            // An earlier attempt stored the batch while this one waited for it, so this one cannot see what was
            // skipped.
            let skipped = row.skipped.ok_or(StoreError::Superseded)?;
            let keys = row.key_ids.into_iter().zip(row.epochs);
            let totals = keys.zip(row.totals.into_iter().zip(row.full_at)).map(
                |((key_id, generation), (total, full_at))| FleetTotal {
                    key_id,
                    generation,
                    total,
                    full_at,
                },
            );
            Ok(StoredBatch {
                skipped,
                totals: totals.collect(),
            })
        })
        .await
    }

    /// The fleet totals of these keys: what all processes together have used.
    pub async fn read_fleet_totals(&self, key_ids: &[String]) -> Result<Vec<FleetTotal>, Error> {
        self.retryable("read_fleet_totals", || async {
            sqlx::query_as!(
                FleetTotal,
                r#"
                SELECT key_id, epoch AS "generation", spent AS "total", full_at AS "full_at: Timestamp"
                FROM sophra_api_keys.spent
                WHERE key_id = ANY($1)
                "#,
                key_ids,
            )
            .fetch_all(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// Deletes totals that have long been available again, and processes that have not flushed for long.
    pub async fn prune_usage(&self, now: Timestamp) -> Result<(), Error> {
        const DAY: i64 = 86_400;
        let (full_before, flushed_before) = (now.plus_seconds(-DAY), now.plus_seconds(-30 * DAY));
        self.retryable("prune_usage", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                WITH returned AS (DELETE FROM sophra_api_keys.spent WHERE full_at < $1)
                DELETE FROM sophra_api_keys.usage_batches WHERE applied_at AT TIME ZONE 'UTC' < $2
                "#,
                full_before as _,
                flushed_before as _,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }
}
