//! The usage flush: one statement, applied exactly once.

use super::Store;
use crate::error::Error;
use crate::model::Timestamp;

/// Usage of one process since its last batch. Immutable once made, so that it can be repeated.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Rises by one with every batch of the process.
    pub number: i64,
    /// Parallel lists, in the order of ids.
    pub ids: Vec<String>,
    pub uses: Vec<i64>,
    pub last_used: Vec<Timestamp>,
}

impl Store {
    /// Adds the batch to the rows, unless it was added before: the number is checked and set in the same
    /// statement. Answers the keys whose rows were locked: they were left out, so that a flush never waits and is
    /// never waited for. `"updatedAt"` stays; a counter that is still INTEGER saturates.
    pub async fn add_usage(&self, process: &str, batch: &Batch) -> Result<Vec<String>, Error> {
        self.repeatable(|| async {
            let mut db = self.db().await?;
            let skipped = sqlx::query_scalar!(
                r#"
                WITH
                  used AS MATERIALIZED (
                    SELECT id, uses, last_used
                    FROM unnest($3::text[], $4::bigint[], $5::timestamp[]) AS listed (id, uses, last_used)
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
                  )
                SELECT coalesce(
                  (SELECT skipped FROM fresh),
                  (SELECT skipped FROM sophra_api_keys.usage_batches WHERE process = $1 AND batch = $2)
                ) AS "skipped!"
                "#,
                process,
                batch.number,
                &batch.ids,
                &batch.uses,
                &batch.last_used as _,
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            Ok(skipped)
        })
        .await
    }
}
