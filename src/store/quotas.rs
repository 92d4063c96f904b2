//! What is used of quotas and what is left, and what is granted.

use serde::Deserialize;
use sqlx::types::Json;

use super::client_rows::unreadable_limits;
use super::connection::Share;
use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::{Conflict, Error};
use crate::model::{Granted, Period, QuotaGrant, QuotaState, Timestamp};
use crate::quota_leases::QuotaKey;

/// The answer of `sophra_api_keys.quota_state`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateRow {
    name: String,
    amount: Option<i64>,
    period: Option<Period>,
    used: i64,
    granted: i64,
    remaining: Option<i64>,
    withheld: i64,
    resets_at: Option<i64>,
}

impl Store {
    /// What is used of a quota; `None` if there is no such quota.
    pub async fn quota_state(&self, key: &QuotaKey) -> Result<Option<QuotaState>, Error> {
        let state = self.retryable_when_admitted(Share::Manage, "quota_state", || async {
            sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.quota_state($1, $2, $3) AS "state: Json<StateRow>""#,
                key.owner,
                &*key.owner_id,
                &*key.name,
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        });
        let state = state.await?;
        state.map(|Json(state)| state.try_into()).transpose()
    }

    /// Adds units to a quota.
    pub async fn grant_quota(&self, key: &QuotaKey, grant: &QuotaGrant) -> Result<Granted, Error> {
        let outcome = self.change("grant_quota", key.id.as_str(), || async {
            let mut db = self.begin_change().await?;
            let outcome = sqlx::query_scalar!(
                r#"
                SELECT sophra_api_keys.grant_quota(
                  $1, $2, $3, $4, coalesce($5::timestamp AT TIME ZONE 'UTC', 'infinity'), $6, $7
                )
                "#,
                key.owner,
                &*key.owner_id,
                &*key.name,
                grant.amount,
                grant.expires_at as _,
                grant.idempotency_key.as_ref().map(|digest| &digest[..]),
                QuotaGrant::COUNT_MAX,
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            Ok(outcome)
        });
        match outcome.await?.as_deref() {
            Some("granted") => Ok(Granted::Now),
            Some("repeated") => Ok(Granted::Before),
            Some("reused") => Err(Error::IdempotencyKeyReused),
            Some(_) => Err(Error::Conflict(Conflict::ManyGrants)),
            None => Ok(Granted::Nothing),
        }
    }

    /// Those of these names that are no time zones to the database.
    pub async fn unknown_time_zones(&self, names: &[String]) -> Result<Vec<String>, Error> {
        self.retryable_when_admitted(Share::Manage, "unknown_time_zones", || async {
            sqlx::query_scalar!(
                r#"
                SELECT name AS "name!" FROM unnest($1::text[]) AS listed (name) WHERE NOT sophra_api_keys.is_time_zone(name)
                "#,
                names,
            )
            .fetch_all(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }
}

impl TryFrom<StateRow> for QuotaState {
    type Error = Error;

    fn try_from(row: StateRow) -> Result<Self, Error> {
        let (Some(amount), Some(period), Some(remaining)) = (row.amount, row.period, row.remaining)
        else {
            return Err(unreadable_limits());
        };
        Ok(Self {
            name: row.name,
            amount,
            period,
            used: row.used,
            granted: row.granted,
            remaining,
            withheld: row.withheld,
            resets_at: row.resets_at.map(Timestamp::from_millis),
        })
    }
}
