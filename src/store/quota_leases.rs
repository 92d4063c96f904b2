//! What processes have leased and spent of quotas.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use super::handle::Store;
use crate::error::Error;
use crate::quota_leases::{LeaseAnswer, LeaseRequest, LeasedPart, QuotaKey, SpentPart};

/// What became of a request for a lease.
#[derive(Debug)]
pub enum LeaseOutcome {
    Answered(LeaseAnswer),
    /// Another session has locked the quota.
    Locked,
    /// There is no such quota any more. What was spent was taken over.
    Gone(LeaseAnswer),
    /// What is stored is no quota. What was spent was taken over.
    Unreadable(LeaseAnswer),
    /// A later statement was faster.
    Superseded,
}

/// A request, as `sophra_api_keys.lease_quota` takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestRow<'a> {
    owner: &'static str,
    owner_id: &'a str,
    name: &'a str,
    held: &'a [SpentPart],
    wanted: i64,
    needed: i64,
    unreturned: i64,
    is_still: bool,
}

/// Its answer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AnswerRow {
    is_locked: bool,
    is_superseded: bool,
    is_gone: bool,
    fault: Option<String>,
    amount: i64,
    free: i64,
    withheld: i64,
    resets_in_us: Option<u64>,
    leases: Vec<LeaseRow>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseRow {
    balance: i64,
    leased: i64,
    spent: i64,
    ends_in_us: Option<u64>,
}

impl Store {
    /// Tells what this process has spent of quotas, and leases or gives back units. `patience` is the time in milliseconds for
    /// which it waits for a quota that another session has locked; `None` is a part of the time for the statement. A
    /// repetition has the same effect as one statement alone.
    pub async fn lease_quotas(
        &self,
        process: &str,
        revision: i64,
        requests: &[(&QuotaKey, &LeaseRequest)],
        patience: Option<i32>,
    ) -> Result<Vec<LeaseOutcome>, Error> {
        let rows = requests
            .iter()
            .map(|(key, request)| RequestRow::of(key, request));
        let rows: Vec<_> = rows.map(Json).collect();
        let answers = self
            .retryable("lease_quotas", || async {
                let mut db = self.db().await?;
                let answers = sqlx::query_scalar!(
                    r#"
                    SELECT sophra_api_keys.lease_quota($1, $2, listed.request, $4) AS "answer!: Json<AnswerRow>"
                    FROM unnest($3::jsonb[]) WITH ORDINALITY AS listed (request, place)
                    ORDER BY listed.place
                    "#,
                    process,
                    revision,
                    &rows as _,
                    patience,
                )
                .fetch_all(&mut db)
                .await?;
                db.commit().await?;
                Ok(answers)
            })
            .await?;
        if answers.len() != requests.len() {
            return Err(Error::internal(
                "The database returned an unexpected response",
            ));
        }
        Ok(answers
            .into_iter()
            .map(|Json(answer)| answer.into())
            .collect())
    }

    /// Deletes what is known of quotas that are used no more: of periods and grants that have ended, of grants that are used
    /// up, of processes that hold nothing, and of keys and clients that are gone.
    pub async fn prune_quotas(&self) -> Result<(), Error> {
        self.retryable("prune_quotas", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                WITH
                  forgotten AS (
                    DELETE FROM sophra_api_keys.quota_leases AS lease
                    USING (
                      SELECT balance_id, process FROM sophra_api_keys.quota_leases
                      WHERE leased = spent AND changed_at < now() - interval '1 day'
                      ORDER BY balance_id, process
                      LIMIT 10000
                      FOR UPDATE SKIP LOCKED
                    ) AS old
                    WHERE lease.balance_id = old.balance_id AND lease.process = old.process
                  )
                DELETE FROM sophra_api_keys.quota_balances
                WHERE id IN (
                  SELECT id FROM sophra_api_keys.quota_balances
                  WHERE changed_at < now() - interval '1 day' AND (
                    (ends_at < now() - interval '1 day' OR granted <= spent)
                      -- So that a grant that is repeated is known.
                      AND (idempotency_key IS NULL OR changed_at < now() - interval '30 days')
                    OR quota_id LIKE 'key/%' AND NOT EXISTS (
                      SELECT FROM "ApiKey" AS key WHERE key."id" = substring(quota_id FROM '^key/(.*)/[^/]*$')
                    )
                    OR quota_id LIKE 'client/%' AND NOT EXISTS (
                      SELECT FROM sophra_api_keys.clients AS client
                      WHERE client.client_id = substring(quota_id FROM '^client/(.*)/[^/]*$')
                    )
                  )
                  -- As leases do, so that neither waits for the other.
                  ORDER BY quota_id
                  LIMIT 10000
                  FOR UPDATE SKIP LOCKED
                )
                "#,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }
}

impl<'a> RequestRow<'a> {
    fn of(key: &'a QuotaKey, request: &'a LeaseRequest) -> Self {
        Self {
            owner: key.owner,
            owner_id: &key.owner_id,
            name: &key.name,
            held: &request.held,
            wanted: request.wanted,
            needed: request.needed,
            unreturned: request.unreturned,
            is_still: request.is_still,
        }
    }
}

impl From<AnswerRow> for LeaseOutcome {
    fn from(row: AnswerRow) -> Self {
        if row.is_locked {
            return Self::Locked;
        }
        if row.is_superseded {
            return Self::Superseded;
        }
        let lease = |row: LeaseRow| LeasedPart {
            balance: row.balance,
            leased: row.leased,
            spent: row.spent,
            ends_in: row.ends_in_us.map(Duration::from_micros),
        };
        let answer = LeaseAnswer {
            amount: row.amount,
            free: row.free,
            withheld: row.withheld,
            resets_in: row.resets_in_us.map(Duration::from_micros),
            leases: row.leases.into_iter().map(lease).collect(),
        };
        match (row.fault, row.is_gone) {
            (Some(_), _) => Self::Unreadable(answer),
            (None, true) => Self::Gone(answer),
            (None, false) => Self::Answered(answer),
        }
    }
}
