//! The uses of keys: each batch is added exactly once, since its number is checked and set in the same statement.

use sqlx::types::Json;

use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;
use crate::model::{CredentialUse, Refusal, RotationNotice, Timestamp, UsageBatch, VALID};

/// What became of a batch.
#[derive(Debug)]
pub struct StoredUsage {
    /// The keys whose rows were locked: they were left out.
    pub skipped: Vec<String>,
    pub notices: Vec<RotationNotice>,
}

struct StoredRow {
    skipped: Vec<String>,
    notices: Option<Json<Vec<RotationNotice>>>,
}

/// Accepted verifies, as a column each.
#[derive(Default)]
struct UsedKeys<'a> {
    ids: Vec<&'a str>,
    uses: Vec<i64>,
    last_used: Vec<Timestamp>,
    /// Empty unless addresses are stored.
    ips: Vec<Option<String>>,
}

/// Of the keys whose uses say something about a rotation, a column each. They are few.
#[derive(Default)]
struct TurnedKeys<'a> {
    ids: Vec<&'a str>,
    key_numbers: Vec<i64>,
    current_first: Vec<Option<Timestamp>>,
    previous_last: Vec<Option<Timestamp>>,
}

fn used_keys(batch: &UsageBatch, keeps_ips: bool) -> (UsedKeys<'_>, TurnedKeys<'_>) {
    let (mut used, mut turned) = (UsedKeys::default(), TurnedKeys::default());
    for (key_id, counted) in batch.uses.iter().filter(|(_, counted)| counted.uses > 0) {
        used.ids.push(key_id);
        used.uses.push(counted.uses);
        used.last_used.push(counted.last_used);
        if keeps_ips {
            used.ips.push(counted.ip.map(|ip| ip.to_string()));
        }
        let CredentialUse {
            key_number,
            current_first,
            previous_last,
        } = counted.credential;
        if current_first.is_some() || previous_last.is_some() {
            turned.ids.push(key_id);
            turned.key_numbers.push(key_number);
            turned.current_first.push(current_first);
            turned.previous_last.push(previous_last);
        }
    }
    (used, turned)
}

/// All verifies, as a column each.
#[derive(Default)]
struct UsageColumns<'a> {
    key_ids: Vec<&'a str>,
    client_ids: Vec<&'a str>,
    tags: Vec<&'a str>,
    outcomes: Vec<&'static str>,
    quarters: Vec<i64>,
    counts: Vec<i64>,
    costs: Vec<i64>,
}

impl<'a> UsageColumns<'a> {
    fn of(batch: &'a UsageBatch) -> Self {
        let mut counts = Self::default();
        for (key_id, counted) in &batch.uses {
            for count in &counted.counts {
                counts.key_ids.push(key_id);
                counts.client_ids.push(&count.client_id);
                counts.tags.push(count.tag.as_deref().unwrap_or_default());
                counts
                    .outcomes
                    .push(count.refusal.map_or(VALID, Refusal::code));
                counts.quarters.push(count.quarter.0);
                counts.counts.push(count.count);
                counts.costs.push(count.cost);
            }
        }
        counts
    }
}

/// The statement that adds a batch of uses to the rows of keys and to the log of usage, once: see [`Store::add_usage`].
macro_rules! add_usage {
    ($($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            StoredRow,
            r#"
            WITH
              used AS MATERIALIZED (
                SELECT *
                FROM unnest($3::text[], $4::bigint[], $5::timestamp[], $14::text[]) AS listed (id, uses, last_used, ip)
              ),
              free AS MATERIALIZED (
                SELECT key."id", used.uses, used.last_used, used.ip,
                  CASE WHEN pg_typeof(key."usageCount") = 'integer'::regtype
                    THEN 2147483647 ELSE 9223372036854775807 END AS most,
                  key."rotatedAt" AS rotated_at, key."currentKeyFirstUsedAt" AS first_used,
                  key."previousKeyLastUsedAt" AS previous_used, key."previousKeyExpiresAt" AS expires_at
                FROM "ApiKey" AS key
                JOIN used ON used.id = key."id"
                WHERE NOT EXISTS (
                  SELECT FROM sophra_api_keys.usage_batches WHERE process = $1 AND batch >= $2
                )
                ORDER BY key."id"
                FOR NO KEY UPDATE OF key SKIP LOCKED
              ),
              -- Uses before a rotation are not those of the keys that there are now.
              rotated AS MATERIALIZED (
                SELECT free.*, turned.current_first, turned.previous_last, key."name", key."clientId"
                FROM unnest($15::text[], $16::bigint[], $17::timestamp[], $18::timestamp[])
                  AS turned (id, key_number, current_first, previous_last)
                JOIN free ON free."id" = turned.id
                JOIN "ApiKey" AS key ON key."id" = free."id" AND key."rotatedAt" IS NOT DISTINCT FROM free.rotated_at
                WHERE turned.key_number = sophra_api_keys.key_number(key."lookup", key."key")
              ),
              notices AS MATERIALIZED (
                SELECT jsonb_agg(jsonb_build_object(
                  'keyId', due."id",
                  'name', coalesce(due."name", ''),
                  'clientId', coalesce(due."clientId", ''),
                  'usedAt', sophra_api_keys.milliseconds_of(notice.used_at),
                  'previousKeyExpiresAt', sophra_api_keys.milliseconds_of(notice.expires_at)
                )) AS listed
                FROM rotated AS due
                CROSS JOIN LATERAL (
                  SELECT due.current_first, NULL
                  WHERE due.current_first IS NOT NULL AND due.rotated_at IS NOT NULL AND due.first_used IS NULL
                  UNION ALL
                  SELECT due.previous_last, due.expires_at
                  WHERE due.previous_last >= due.expires_at - interval '24 hours'
                    AND coalesce(due.previous_used < due.expires_at - interval '24 hours', true)
                ) AS notice (used_at, expires_at)
              ),
              missed AS MATERIALIZED (
                SELECT id FROM used WHERE (SELECT count(*) FROM free) < cardinality($3::text[])
                EXCEPT SELECT "id" FROM free
              ),
              fresh AS (
                INSERT INTO sophra_api_keys.usage_batches AS known (process, batch, skipped, notices)
                SELECT $1, $2, ARRAY(
                  SELECT missed.id FROM missed
                  -- They are few: with an offset, the whole table is never read for them.
                  WHERE EXISTS (SELECT FROM "ApiKey" AS key WHERE key."id" = missed.id OFFSET 0)
                ), (SELECT listed FROM notices)
                ON CONFLICT (process) DO UPDATE
                SET batch = excluded.batch, skipped = excluded.skipped, notices = excluded.notices, applied_at = now()
                WHERE known.batch < excluded.batch
                RETURNING skipped, notices
              ),
              -- For the copy by which lists are sorted. A flush of the same third of a minute has listed the key already.
              listed AS (
                INSERT INTO sophra_api_keys.used_keys (round, key_id)
                SELECT floor(extract(epoch FROM now()) / 20), free."id" FROM free
                WHERE EXISTS (SELECT FROM fresh) AND NOT EXISTS (
                  SELECT FROM sophra_api_keys.used_keys AS known
                  WHERE known.round = floor(extract(epoch FROM now()) / 20)::bigint AND known.key_id = free."id"
                  -- Otherwise the whole table may be read.
                  OFFSET 0
                )
                ON CONFLICT DO NOTHING
              ),
              added AS (
                UPDATE "ApiKey" AS key SET
                  "usageCount" = least(key."usageCount", free.most - least(free.uses, free.most)) + least(free.uses, free.most),
                  "lastUsedAt" = greatest(key."lastUsedAt", free.last_used),
                  "currentKeyFirstUsedAt" = least(key."currentKeyFirstUsedAt", rotated.current_first),
                  "previousKeyLastUsedAt" = greatest(key."previousKeyLastUsedAt", rotated.previous_last),
                  "lastUsedIp" = CASE WHEN $19 THEN coalesce(free.ip, key."lastUsedIp") END
                FROM free LEFT JOIN rotated USING ("id")
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
            SELECT skipped AS "skipped!", notices AS "notices: Json<Vec<RotationNotice>>" FROM fresh
            UNION ALL
            SELECT skipped, notices FROM sophra_api_keys.usage_batches WHERE process = $1 AND batch = $2
            "#,
            $($argument),*
        )
    };
}

impl Store {
    /// Adds the uses of the batch to the rows, unless they were added before. Keys whose rows are locked are left out, so that a
    /// flush never waits and is never waited for. `"updatedAt"` stays as it is, and a counter that is full stays full. Without
    /// `keeps_ips`, an address that was stored before is cleared.
    pub async fn add_usage(
        &self,
        process: &str,
        batch: &UsageBatch,
        now: Timestamp,
        keeps_ips: bool,
    ) -> Result<StoredUsage, Error> {
        let (used, turned) = used_keys(batch, keeps_ips);
        let counts = UsageColumns::of(batch);
        self.retryable("add_usage", || async {
            let mut db = self.db().await?;
            let stored = add_usage!(
                process,
                batch.number,
                &used.ids as _,
                &used.uses,
                &used.last_used as _,
                now as _,
                &counts.key_ids as _,
                &counts.client_ids as _,
                &counts.tags as _,
                &counts.outcomes as _,
                &counts.quarters,
                &counts.counts,
                &counts.costs,
                &used.ips as _,
                &turned.ids as _,
                &turned.key_numbers,
                &turned.current_first as _,
                &turned.previous_last as _,
                keeps_ips,
            )
            .fetch_optional(&mut db)
            .await;
            // An earlier attempt stored the batch while this one waited for it, so this one cannot see what was
            // skipped.
            let stored = db.settle(stored).await?.ok_or(StoreError::Superseded)?;
            Ok(StoredUsage {
                skipped: stored.skipped,
                notices: stored
                    .notices
                    .map_or_else(Vec::new, |Json(notices)| notices),
            })
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
                  told AS (
                    DELETE FROM sophra_api_keys.reused_keys WHERE told_at < now() - interval '1 day'
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
