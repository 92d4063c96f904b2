//! The credentials of an older implementation, as `doctor --before` reads them.

use crate::error::Error;
use crate::model::{Plaintext, Timestamp};
use crate::store::Store;

/// A key or an admin token.
pub struct OldCredential {
    pub id: String,
    pub name: String,
    /// Cut where it is longer than any that is accepted.
    pub text: Plaintext,
    pub is_active: bool,
    /// Whether it is stored in plaintext: no lookup stands beside it.
    pub is_old: bool,
    /// Of a key.
    pub expires_at: Option<Timestamp>,
    pub allowed_ips: Vec<String>,
    pub rate_limit: Option<i32>,
    /// Of an admin token; `None` if no permissions are stored.
    pub permissions: Option<Vec<String>>,
}

impl Store {
    /// The next keys, or admin tokens, in the order of their ids, old or not: a condition that the planner cannot estimate would
    /// have it read the whole table for each page. Both are one statement, since each costs the addon some
    /// kilobytes. Columns that a migration adds are read by way of the row, which may lack them.
    pub async fn old_credentials(
        &self,
        are_keys: bool,
        after: &str,
    ) -> Result<Vec<OldCredential>, Error> {
        self.retryable("old_credentials", || async {
            let query = sqlx::query!(
                r#"
                SELECT
                  "id" AS "id!", left(coalesce("name", ''), 1000) AS "name!", left(coalesce("key", ''), 1000) AS "text!",
                  coalesce("isActive", false) AS "is_active!", to_jsonb(page) ->> 'lookup' IS NULL AS "is_old!",
                  "expiresAt" AS "expires_at: Timestamp",
                  ARRAY(SELECT coalesce(entry, '') FROM unnest("allowedIps") AS entry) AS "allowed_ips!", "rateLimit" AS rate_limit,
                  NULL::text[] AS permissions
                FROM (SELECT * FROM "ApiKey" WHERE $1 AND "id" > $2 ORDER BY "id" LIMIT 1000) AS page
                UNION ALL
                SELECT
                  "id", left(coalesce("name", ''), 1000), left(coalesce("token", ''), 10000), coalesce("isActive", false), to_jsonb(page) ->> 'lookup' IS NULL, NULL, '{}', NULL,
                  CASE WHEN jsonb_typeof(to_jsonb(page) -> 'permissions') = 'array' THEN ARRAY(
                    SELECT permission FROM jsonb_array_elements_text(to_jsonb(page) -> 'permissions') AS permission
                    WHERE permission IS NOT NULL
                  ) END
                FROM (SELECT * FROM "AdminToken" WHERE NOT $1 AND "id" > $2 ORDER BY "id" LIMIT 1000) AS page
                ORDER BY 1
                "#,
                are_keys,
                after,
            );
            let rows = self.db().await?.rows(query).await?;
            let credential = |(id, name, text, is_active, is_old, expires_at, allowed_ips, rate_limit, permissions)| OldCredential {
                id,
                name,
                text: Plaintext::new(text),
                is_active,
                is_old,
                expires_at,
                allowed_ips,
                rate_limit,
                permissions,
            };
            Ok(rows.into_iter().map(credential).collect())
        })
        .await
    }
}
