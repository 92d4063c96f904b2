//! The costs of rate limits: what all processes have used, and with which limits one of them is alone. Each batch is added
//! exactly once, since its number is checked and set in the same statement.

use super::connection::error::StoreError;
use super::connection::{Session, Share};
use super::handle::Store;
use crate::error::Error;
use crate::model::{FleetShare, FleetTotal, LimitId};

/// A fleet total after this process has told its use.
pub struct ToldTotal {
    pub total: FleetTotal,
    /// Whether no other process has told any for a while.
    pub is_alone: bool,
}

/// What a process has to know of the others.
pub struct Others {
    /// Entries for this process, in the order of their ids.
    pub ids: Vec<i64>,
    /// The limit of each: the process is no longer alone with it.
    pub limit_ids: Vec<String>,
    /// How many processes have stored uses within the last minutes, if this was asked.
    pub processes: Option<i64>,
}

/// Fleet totals as parallel lists.
struct TotalLists {
    limit_ids: Vec<String>,
    epochs: Vec<i32>,
    totals: Vec<i64>,
    debts: Vec<i64>,
    intervals: Vec<i64>,
    alone: Vec<bool>,
    /// Whether the totals contain the batch.
    is_seen: bool,
}

impl From<TotalLists> for Vec<ToldTotal> {
    fn from(lists: TotalLists) -> Self {
        let limits = lists.limit_ids.into_iter().zip(lists.epochs);
        let debts = lists.debts.into_iter().zip(lists.intervals);
        let totals = lists.totals.into_iter().zip(lists.alone);
        limits
            .zip(totals.zip(debts))
            .map(
                |((limit_id, generation), ((total, is_alone), (debt_ns, interval_ns)))| ToldTotal {
                    total: FleetTotal {
                        limit_id: limit_id.into(),
                        generation,
                        total,
                        debt_ns,
                        interval_ns,
                    },
                    is_alone,
                },
            )
            .collect()
    }
}

/// Shares as parallel lists.
struct ShareLists {
    ids: Vec<String>,
    costs: Vec<i64>,
    epochs: Vec<i32>,
    debts: Vec<i64>,
    intervals: Vec<i64>,
    longest: Vec<i64>,
}

impl ShareLists {
    fn of(shares: &[FleetShare]) -> Self {
        let numbers = |number: fn(&FleetShare) -> i64| shares.iter().map(number).collect();
        Self {
            ids: shares
                .iter()
                .map(|share| share.limit_id.to_string())
                .collect(),
            costs: numbers(|share| share.cost),
            epochs: shares.iter().map(|share| share.generation).collect(),
            debts: numbers(|share| share.debt_ns),
            intervals: numbers(|share| share.interval_ns),
            longest: numbers(|share| share.longest_ns),
        }
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
    /// Adds what a batch has used of the rate limits to the fleet totals, unless it was added before. Returns the new
    /// totals. A process that was alone with a limit until now finds it in `shared_limits`; one that tells its use alone for
    /// `alone_after_ms` is alone again.
    pub async fn add_spent(
        &self,
        process: &str,
        batch: i64,
        shares: &[FleetShare],
        alone_after_ms: i64,
    ) -> Result<Vec<ToldTotal>, Error> {
        let shares = ShareLists::of(shares);
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
                    SELECT limit_id, epoch, spent, full_at, interval_ns, is_alone AND process = $1 AS is_alone
                    FROM sophra_api_keys.spent WHERE limit_id = ANY($3)
                  ),
                  spent AS (
                    INSERT INTO sophra_api_keys.spent AS known (limit_id, epoch, spent, full_at, interval_ns, longest_ns, process, is_alone)
                    SELECT id, epoch, cost, sophra_api_keys.instant_in(debt), interval_ns, longest, $1, true
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
                      longest_ns = excluded.longest_ns, process = excluded.process,
                      shared_at = CASE WHEN known.process = excluded.process THEN known.shared_at ELSE now() END,
                      -- Again, once no other has told any use for a while.
                      is_alone = coalesce(known.process = excluded.process, false) AND known.shared_at < now() - $9::bigint * interval '1 millisecond',
                      displaced = CASE WHEN known.is_alone AND known.process <> excluded.process THEN known.process END
                    WHERE known.epoch <= excluded.epoch
                    RETURNING limit_id, epoch, spent, full_at, interval_ns, is_alone, displaced
                  ),
                  noted AS (
                    INSERT INTO sophra_api_keys.shared_limits (process, limit_id) SELECT displaced, limit_id FROM spent
                    WHERE displaced IS NOT NULL
                  ),
                  total AS MATERIALIZED (
                    -- Without what this batch has added: the debt of the others. Not by the row as it was before, since
                    -- somebody may have come between.
                    SELECT known.limit_id, known.epoch, known.spent, known.interval_ns, known.is_alone,
                      greatest(sophra_api_keys.nanoseconds_until(known.full_at) - spending.debt, 0) AS debt
                    FROM (
                      SELECT limit_id, epoch, spent, full_at, interval_ns, is_alone FROM spent
                      UNION ALL
                      -- Stored by an earlier try.
                      SELECT limit_id, epoch, spent, full_at, interval_ns, coalesce(is_alone, false) FROM before
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
                  ARRAY(SELECT is_alone FROM total ORDER BY limit_id) AS "alone!",
                  EXISTS (SELECT FROM fresh) OR EXISTS (
                    SELECT FROM sophra_api_keys.usage_batches WHERE process = $1 AND spent_batch >= $2
                  ) AS "is_seen!"
                "#,
                process,
                batch,
                &shares.ids,
                &shares.costs,
                &shares.epochs,
                &shares.debts,
                &shares.intervals,
                &shares.longest,
                alone_after_ms,
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            // An earlier attempt stored the batch while this one waited for it, so this one read the totals before.
            let is_seen = lists.is_seen;
            is_seen.then(|| lists.into()).ok_or(StoreError::Superseded)
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

    /// Deletes the entries that this process has read, and reads up to `max` others.
    pub async fn read_others(
        &self,
        process: &str,
        read: &[i64],
        max: u16,
        count_processes: bool,
    ) -> Result<Others, Error> {
        self.retryable("read_others", || async {
            let mut db = self.db().await?;
            let others = sqlx::query_as!(
                Others,
                r#"
                WITH
                  gone AS (DELETE FROM sophra_api_keys.shared_limits WHERE process = $1 AND id = ANY($2)),
                  unread AS MATERIALIZED (
                    SELECT id, limit_id FROM sophra_api_keys.shared_limits
                    WHERE process = $1 AND id <> ALL($2)
                    ORDER BY id
                    LIMIT $3
                  )
                SELECT
                  ARRAY(SELECT id FROM unread ORDER BY id) AS "ids!",
                  ARRAY(SELECT limit_id FROM unread ORDER BY id) AS "limit_ids!",
                  CASE WHEN $4 THEN (
                    -- Twice the longest interval.
                    SELECT count(*) FROM sophra_api_keys.usage_batches WHERE applied_at > now() - interval '10 minutes'
                  ) END AS processes
                "#,
                process,
                read,
                i64::from(max),
                count_processes,
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            Ok(others)
        })
        .await
    }
}
