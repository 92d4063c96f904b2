//! The uses of keys: each batch is added exactly once, since its number is checked and set in the same statement.

use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;
use crate::model::{Refusal, Timestamp, UsageBatch, VALID};

/// Accepted verifies, as a column each.
#[derive(Default)]
struct UsedKeys {
    ids: Vec<String>,
    uses: Vec<i64>,
    last_used: Vec<Timestamp>,
}

impl UsedKeys {
    fn of(batch: &UsageBatch) -> Self {
        let mut used = Self::default();
        for (key_id, counted) in batch.uses.iter().filter(|(_, counted)| counted.uses > 0) {
            used.ids.push(key_id.clone());
            used.uses.push(counted.uses);
            used.last_used.push(counted.last_used);
        }
        used
    }
}

/// All verifies, as a column each.
#[derive(Default)]
struct UsageColumns {
    key_ids: Vec<String>,
    client_ids: Vec<String>,
    tags: Vec<String>,
    outcomes: Vec<String>,
    quarters: Vec<i64>,
    counts: Vec<i64>,
    costs: Vec<i64>,
}

impl UsageColumns {
    fn of(batch: &UsageBatch) -> Self {
        let mut counts = Self::default();
        for (key_id, counted) in &batch.uses {
            for count in &counted.counts {
                counts.key_ids.push(key_id.clone());
                counts.client_ids.push(count.client_id.to_string());
                counts
                    .tags
                    .push(count.tag.as_deref().unwrap_or_default().to_owned());
                counts
                    .outcomes
                    .push(count.refusal.map_or(VALID, Refusal::code).to_owned());
                counts.quarters.push(count.quarter.0);
                counts.counts.push(count.count);
                counts.costs.push(count.cost);
            }
        }
        counts
    }
}

impl Store {
    /// Adds the uses of the batch to the rows, unless they were added before. Returns the keys whose rows were locked:
    /// they were left out, so that a flush never waits and is never waited for. `"updatedAt"` stays as it is, and a
    /// counter that is full stays full.
    pub async fn add_usage(
        &self,
        process: &str,
        batch: &UsageBatch,
        now: Timestamp,
    ) -> Result<Vec<String>, Error> {
        let UsedKeys {
            ids,
            uses,
            last_used,
        } = UsedKeys::of(batch);
        let counts = UsageColumns::of(batch);
        self.retryable("add_usage", || async {
            let mut db = self.db().await?;
            let skipped = sqlx::query_scalar!(
                r#"
                WITH
                  used AS MATERIALIZED (
                    SELECT id, uses, last_used
                    FROM unnest($3::text[], $4::bigint[], $5::timestamp[]) AS listed (id, uses, last_used)
                  ),
                  free AS MATERIALIZED (
                    SELECT key."id", used.uses, used.last_used,
                      CASE WHEN pg_typeof(key."usageCount") = 'integer'::regtype
                        THEN 2147483647 ELSE 9223372036854775807 END AS most
                    FROM "ApiKey" AS key JOIN used ON used.id = key."id"
                    WHERE NOT EXISTS (
                      SELECT FROM sophra_api_keys.usage_batches WHERE process = $1 AND batch >= $2
                    )
                    ORDER BY key."id"
                    FOR NO KEY UPDATE OF key SKIP LOCKED
                  ),
                  missed AS MATERIALIZED (SELECT id FROM used EXCEPT SELECT "id" FROM free),
                  fresh AS (
                    INSERT INTO sophra_api_keys.usage_batches AS known (process, batch, skipped)
                    SELECT $1, $2, ARRAY(
                      SELECT missed.id FROM missed
                      -- They are few: with an offset, the whole table is never read for them.
                      WHERE EXISTS (SELECT FROM "ApiKey" AS key WHERE key."id" = missed.id OFFSET 0)
                    )
                    ON CONFLICT (process) DO UPDATE
                    SET batch = excluded.batch, skipped = excluded.skipped, applied_at = now()
                    WHERE known.batch < excluded.batch
                    RETURNING skipped
                  ),
                  -- For the copy by which lists are sorted. A flush of the same third of a minute has listed the key already.
                  listed AS (
                    INSERT INTO sophra_api_keys.used_keys (round, key_id)
                    SELECT floor(extract(epoch FROM now()) / 20), free."id" FROM free
                    WHERE EXISTS (SELECT FROM fresh)
                    ON CONFLICT DO NOTHING
                  ),
                  added AS (
                    UPDATE "ApiKey" AS key SET
                      "usageCount" = least(key."usageCount", free.most - least(free.uses, free.most)) + least(free.uses, free.most),
                      "lastUsedAt" = greatest(key."lastUsedAt", free.last_used)
                    FROM free
                    WHERE key."id" = free."id" AND EXISTS (SELECT FROM fresh)
                  ),
                  -- Of skipped keys, too.
                  logged AS (
                    INSERT INTO sophra_api_keys.usage_log
                      (shift, key_ids, client_ids, tags, outcomes, quarters, counts, costs)
                    SELECT
                      round(extract(epoch FROM clock_timestamp() - $6::timestamp AT TIME ZONE 'UTC') / 900)::bigint,
                      $7, $8, $9, $10, $11, $12, $13
                    WHERE cardinality($7::text[]) > 0 AND EXISTS (SELECT FROM fresh)
                  )
                SELECT coalesce(
                  (SELECT skipped FROM fresh),
                  (SELECT skipped FROM sophra_api_keys.usage_batches WHERE process = $1 AND batch = $2)
                )
                "#,
                process,
                batch.number,
                &ids,
                &uses,
                &last_used as _,
                now as _,
                &counts.key_ids,
                &counts.client_ids,
                &counts.tags,
                &counts.outcomes,
                &counts.quarters,
                &counts.counts,
                &counts.costs,
            )
            .fetch_one(&mut db)
            .await;
            let skipped = db.settle(skipped).await?;
            // An earlier attempt stored the batch while this one waited for it, so this one cannot see what was
            // skipped.
            skipped.ok_or(StoreError::Superseded)
        })
        .await
    }

    /// Copies the use of keys that flushes have written, for lists. Returns whether there may be more.
    pub async fn copy_key_usage(&self) -> Result<bool, Error> {
        self.retryable("copy_key_usage", || async {
            let mut db = self.db().await?;
            let has_more =
                sqlx::query_scalar!(r#"SELECT sophra_api_keys.copy_key_usage() AS "has_more!""#)
                    .fetch_one(&mut db)
                    .await;
            db.settle(has_more).await
        })
        .await
    }

    /// Deletes totals that have long been available again, what processes that are gone did not read, and processes that have
    /// not flushed for long.
    pub async fn prune_usage(&self) -> Result<(), Error> {
        self.retryable("prune_usage", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                WITH
                  returned AS (
                    DELETE FROM sophra_api_keys.spent WHERE full_at < now() AT TIME ZONE 'UTC' - interval '1 day'
                  ),
                  unread AS (
                    DELETE FROM sophra_api_keys.shared_limits WHERE noted_at < now() - interval '1 day'
                  )
                DELETE FROM sophra_api_keys.usage_batches WHERE applied_at < now() - interval '30 days'
                "#,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }
}
