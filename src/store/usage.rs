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
    /// statement. Rows are locked in the order of ids, so that two flushes never wait for each other.
    /// `"updatedAt"` stays; a counter that is still INTEGER saturates.
    pub async fn add_usage(&self, process: &str, batch: &Batch) -> Result<(), Error> {
        self.repeatable(|| async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                WITH
                  fresh AS (
                    INSERT INTO sophra_api_keys.usage_batches AS known (process, batch)
                    VALUES ($1, $2)
                    ON CONFLICT (process) DO UPDATE SET batch = excluded.batch, applied_at = now()
                    WHERE known.batch < excluded.batch
                    RETURNING batch
                  ),
                  used AS (
                    SELECT id, uses, last_used
                    FROM unnest($3::text[], $4::bigint[], $5::timestamp[]) AS listed (id, uses, last_used)
                    WHERE EXISTS (SELECT FROM fresh)
                  ),
                  locked AS MATERIALIZED (
                    SELECT key."id", used.uses, used.last_used
                    FROM "ApiKey" AS key JOIN used ON used.id = key."id"
                    ORDER BY key."id"
                    FOR NO KEY UPDATE OF key
                  )
                UPDATE "ApiKey" AS key SET
                  "usageCount" = least(
                    key."usageCount"::bigint + locked.uses,
                    CASE WHEN pg_typeof(key."usageCount") = 'integer'::regtype
                      THEN 2147483647 ELSE 9223372036854775807 END
                  ),
                  "lastUsedAt" = greatest(key."lastUsedAt", locked.last_used)
                FROM locked
                WHERE key."id" = locked."id"
                "#,
                process,
                batch.number,
                &batch.ids,
                &batch.uses,
                &batch.last_used as _,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }
}
