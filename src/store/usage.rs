//! The usage flush: statements that are applied exactly once. Their batch numbers are checked and set in the same
//! statement.

use super::connection::error::StoreError;
use super::connection::{Session, Share};
use super::handle::Store;
use crate::error::Error;
use crate::model::{FleetShare, FleetTotal, LimitId, UsageBatch};

/// Fleet totals as parallel lists.
struct TotalLists {
    limit_ids: Vec<String>,
    epochs: Vec<i32>,
    totals: Vec<i64>,
    debts: Vec<i64>,
    intervals: Vec<i64>,
    /// Whether the totals contain the batch.
    is_seen: bool,
}

impl From<TotalLists> for Vec<FleetTotal> {
    fn from(lists: TotalLists) -> Self {
        let limits = lists.limit_ids.into_iter().zip(lists.epochs);
        let debts = lists.debts.into_iter().zip(lists.intervals);
        limits
            .zip(lists.totals.into_iter().zip(debts))
            .map(
                |((limit_id, generation), (total, (debt_ns, interval_ns)))| FleetTotal {
                    limit_id: limit_id.into(),
                    generation,
                    total,
                    debt_ns,
                    interval_ns,
                },
            )
            .collect()
    }
}

async fn fleet_totals(
    db: &mut Session,
    limit_ids: &[LimitId],
) -> Result<Vec<FleetTotal>, StoreError> {
    let limit_ids: Vec<String> = limit_ids.iter().map(ToString::to_string).collect();
    let totals = sqlx::query_as!(
        FleetTotal,
        r#"
        SELECT limit_id, epoch AS "generation", spent AS "total",
          sophra_api_keys.nanoseconds_until(full_at) AS "debt_ns!", interval_ns
        FROM sophra_api_keys.spent
        WHERE limit_id = ANY($1)
        "#,
        &limit_ids,
    )
    .fetch_all(db)
    .await?;
    Ok(totals)
}

impl Store {
    /// Adds the uses of the batch to the rows, unless they were added before. Returns the keys whose rows were locked:
    /// they were left out, so that a flush never waits and is never waited for. `"updatedAt"` stays as it is, and a
    /// counter that is full stays full.
    pub async fn add_usage(&self, process: &str, batch: &UsageBatch) -> Result<Vec<String>, Error> {
        let (ids, counted): (Vec<_>, Vec<_>) = batch.uses.iter().cloned().unzip();
        let uses: Vec<_> = counted.iter().map(|counted| counted.uses).collect();
        let last_used: Vec<_> = counted.iter().map(|counted| counted.last_used).collect();
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
                  added AS (
                    UPDATE "ApiKey" AS key SET
                      "usageCount" = least(key."usageCount", free.most - least(free.uses, free.most)) + least(free.uses, free.most),
                      "lastUsedAt" = greatest(key."lastUsedAt", free.last_used)
                    FROM free
                    WHERE key."id" = free."id" AND EXISTS (SELECT FROM fresh)
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

    /// Adds what a batch has used of the rate limits to the fleet totals, unless it was added before. Returns the new
    /// totals.
    pub async fn add_spent(
        &self,
        process: &str,
        batch: i64,
        shares: &[FleetShare],
    ) -> Result<Vec<FleetTotal>, Error> {
        let ids: Vec<_> = shares
            .iter()
            .map(|share| share.limit_id.to_string())
            .collect();
        let costs: Vec<_> = shares.iter().map(|share| share.cost).collect();
        let epochs: Vec<_> = shares.iter().map(|share| share.generation).collect();
        let debts: Vec<_> = shares.iter().map(|share| share.debt_ns).collect();
        let intervals: Vec<_> = shares.iter().map(|share| share.interval_ns).collect();
        let longest: Vec<_> = shares.iter().map(|share| share.longest_ns).collect();
        self.retryable("add_spent", || async {
            let mut db = self.db().await?;
            let lists = sqlx::query_as!(
                TotalLists,
                r#"
                WITH
                  spending AS MATERIALIZED (
                    SELECT id, cost, epoch, debt, interval_ns, longest
                    FROM unnest($3::text[], $4::bigint[], $5::integer[], $6::bigint[], $7::bigint[], $8::bigint[])
                      AS listed (id, cost, epoch, debt, interval_ns, longest)
                  ),
                  fresh AS (
                    INSERT INTO sophra_api_keys.usage_batches AS known (process, spent_batch)
                    VALUES ($1, $2)
                    ON CONFLICT (process) DO UPDATE
                    SET spent_batch = excluded.spent_batch, applied_at = now()
                    WHERE known.spent_batch < excluded.spent_batch
                    RETURNING process
                  ),
                  before AS MATERIALIZED (
                    SELECT limit_id, epoch, spent, full_at, interval_ns FROM sophra_api_keys.spent WHERE limit_id = ANY($3)
                  ),
                  spent AS (
                    INSERT INTO sophra_api_keys.spent AS known (limit_id, epoch, spent, full_at, interval_ns, longest_ns)
                    SELECT id, epoch, cost, sophra_api_keys.instant_in(debt), interval_ns, longest
                    FROM spending
                    WHERE EXISTS (SELECT FROM fresh)
                    ORDER BY id
                    ON CONFLICT (limit_id) DO UPDATE SET
                      epoch = excluded.epoch,
                      spent = excluded.spent + CASE WHEN known.epoch = excluded.epoch
                        THEN least(known.spent, 9223372036854775807 - excluded.spent) ELSE 0 END,
                      -- The use stays the same if the limit has changed, and so the time in which it is available again
                      -- does not.
                      full_at = sophra_api_keys.instant_in(least(
                        sophra_api_keys.nanoseconds_until(excluded.full_at) + CASE WHEN known.epoch = excluded.epoch
                          THEN sophra_api_keys.nanoseconds_until(known.full_at)::float8
                            * excluded.interval_ns / known.interval_ns
                          ELSE 0 END,
                        excluded.longest_ns
                      )),
                      interval_ns = excluded.interval_ns,
                      longest_ns = excluded.longest_ns
                    WHERE known.epoch <= excluded.epoch
                    RETURNING limit_id, epoch, spent, full_at, interval_ns
                  ),
                  total AS MATERIALIZED (
                    -- Without what this batch has added: the debt of the others. Not by the row as it was before, since
                    -- somebody may have come between.
                    SELECT known.limit_id, known.epoch, known.spent, known.interval_ns,
                      greatest(sophra_api_keys.nanoseconds_until(known.full_at) - spending.debt, 0) AS debt
                    FROM (
                      SELECT limit_id, epoch, spent, full_at, interval_ns FROM spent
                      UNION ALL
                      -- Stored by an earlier try.
                      SELECT limit_id, epoch, spent, full_at, interval_ns FROM before
                      WHERE NOT EXISTS (SELECT FROM fresh)
                    ) AS known
                    JOIN spending ON spending.id = known.limit_id
                  )
                SELECT
                  ARRAY(SELECT limit_id FROM total ORDER BY limit_id) AS "limit_ids!",
                  ARRAY(SELECT epoch FROM total ORDER BY limit_id) AS "epochs!",
                  ARRAY(SELECT spent FROM total ORDER BY limit_id) AS "totals!",
                  ARRAY(SELECT debt FROM total ORDER BY limit_id) AS "debts!",
                  ARRAY(SELECT interval_ns FROM total ORDER BY limit_id) AS "intervals!",
                  EXISTS (SELECT FROM fresh) OR EXISTS (
                    SELECT FROM sophra_api_keys.usage_batches WHERE process = $1 AND spent_batch >= $2
                  ) AS "is_seen!"
                "#,
                process,
                batch,
                &ids,
                &costs,
                &epochs,
                &debts,
                &intervals,
                &longest,
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            // An earlier attempt stored the batch while this one waited for it, so this one read the totals before.
            if !lists.is_seen {
                return Err(StoreError::Superseded);
            }
            Ok(lists.into())
        })
        .await
    }

    /// The fleet totals of these limits: what all processes together have used.
    pub async fn read_fleet_totals(&self, limit_ids: &[LimitId]) -> Result<Vec<FleetTotal>, Error> {
        self.retryable("read_fleet_totals", || async {
            fleet_totals(&mut self.db().await?, limit_ids).await
        })
        .await
    }

    /// The fleet totals of limits that somebody peeks at.
    pub async fn peek_at_fleet_totals(
        &self,
        limit_ids: &[LimitId],
    ) -> Result<Vec<FleetTotal>, Error> {
        self.retryable_when_admitted(Share::Manage, "peek_at_fleet_totals", || async {
            fleet_totals(&mut self.db().await?, limit_ids).await
        })
        .await
    }

    /// Deletes totals that have long been available again, and processes that have not flushed for long.
    pub async fn prune_usage(&self) -> Result<(), Error> {
        self.retryable("prune_usage", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                WITH returned AS (
                  DELETE FROM sophra_api_keys.spent WHERE full_at < now() AT TIME ZONE 'UTC' - interval '1 day'
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
