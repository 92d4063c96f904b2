//! What a verify asks of the database.

use sqlx::types::Json;

use super::Store;
use crate::error::Error;
use crate::hash::Phc;
use crate::model::{AllowList, Grant, Timestamp};

/// A row that a presented key may be the key of: the hash decides.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub grant: Grant,
    pub hash: Phc,
}

struct CandidateRow {
    id: String,
    name: String,
    client_id: String,
    is_active: bool,
    expires_at: Option<Timestamp>,
    allowed_ips: Vec<String>,
    rate_limit: Option<i32>,
    rate_limit_window_seconds: Option<i32>,
    scopes: Vec<String>,
    metadata: Option<Json<serde_json::Value>>,
    suspended_until: Option<Timestamp>,
    replaced_until: Option<Timestamp>,
    hash: String,
}

impl Store {
    /// The row whose current or previous key has this lookup.
    pub async fn find_candidate(&self, lookup: &str) -> Result<Option<Candidate>, Error> {
        let row = self
            .repeatable(|| async {
                sqlx::query_as!(
                    CandidateRow,
                    r#"
                    SELECT
                      "id",
                      coalesce("name", '') AS "name!",
                      coalesce("clientId", '') AS "client_id!",
                      coalesce("isActive", false) AS "is_active!",
                      "expiresAt" AS "expires_at: Timestamp",
                      array_replace(coalesce("allowedIps", '{}'), NULL, '') AS "allowed_ips!",
                      "rateLimit" AS "rate_limit",
                      "rateLimitWindowSeconds" AS "rate_limit_window_seconds",
                      "scopes",
                      "metadata" AS "metadata: Json<serde_json::Value>",
                      "suspendedUntil" AS "suspended_until: Timestamp",
                      CASE WHEN "lookup" = $1 THEN NULL ELSE coalesce("previousKeyExpiresAt", '-infinity') END
                        AS "replaced_until: Timestamp",
                      CASE WHEN "lookup" = $1 THEN "key" ELSE coalesce("previousKey", '') END AS "hash!"
                    FROM "ApiKey"
                    WHERE "lookup" = $1 OR "previousLookup" = $1
                    "#,
                    lookup,
                )
                .fetch_optional(&mut self.db().await?)
                .await
            })
            .await?;
        Ok(row.map(Candidate::from))
    }

    /// Suspends the key unless it is; whether this call did it.
    pub async fn suspend_key(
        &self,
        id: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.repeatable(|| async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                UPDATE "ApiKey" SET "suspendedUntil" = $2
                WHERE "id" = $1 AND ("suspendedUntil" IS NULL OR "suspendedUntil" <= $3)
                "#,
                id,
                until as _,
                now as _,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

impl From<CandidateRow> for Candidate {
    fn from(row: CandidateRow) -> Self {
        Self {
            grant: Grant {
                key_id: row.id,
                name: row.name,
                client_id: row.client_id,
                is_active: row.is_active,
                expires_at: row.expires_at,
                suspended_until: row.suspended_until,
                replaced_until: row.replaced_until,
                allow_list: AllowList::parse(&row.allowed_ips),
                scopes: row.scopes,
                metadata: row.metadata.map(|Json(metadata)| metadata),
                rate_limit: row.rate_limit,
                rate_limit_window_seconds: row.rate_limit_window_seconds,
            },
            hash: Phc::new(row.hash),
        }
    }
}
