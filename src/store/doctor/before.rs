//! The credentials of an older implementation, as `doctor --before` reads them.

use crate::error::Error;
use crate::model::{Plaintext, Timestamp};
use crate::store::Store;

/// A key or an admin token that is stored in plaintext.
pub struct OldCredential {
    pub id: String,
    pub name: String,
    /// Cut where it is longer than any that is accepted.
    pub text: Plaintext,
    pub is_active: bool,
    /// Of a key.
    pub expires_at: Option<Timestamp>,
    pub allowed_ips: Vec<String>,
    pub rate_limit: Option<i32>,
    /// Of an admin token; `None` if no permissions are stored.
    pub permissions: Option<Vec<String>>,
}

impl Store {
    /// The next keys, or admin tokens, in the order of their ids. Both are one statement, since each costs the addon some
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
                  id AS "id!", name AS "name!", text AS "text!", is_active AS "is_active!", expires_at AS "expires_at: Timestamp",
                  allowed_ips AS "allowed_ips!", rate_limit, permissions
                FROM (
                  SELECT
                    "id" AS id, left("name", 1000) AS name, left("key", 1000) AS text, "isActive" AS is_active,
                    "expiresAt" AS expires_at,
                    ARRAY(SELECT coalesce(entry, '') FROM unnest("allowedIps") AS entry) AS allowed_ips,
                    "rateLimit" AS rate_limit, NULL::text[] AS permissions
                  FROM "ApiKey" AS old
                  WHERE $1 AND "id" > $2 AND to_jsonb(old) ->> 'lookup' IS NULL
                  UNION ALL
                  SELECT
                    "id", left("name", 1000), left("token", 10000), "isActive", NULL, '{}', NULL,
                    CASE WHEN jsonb_typeof(to_jsonb(old) -> 'permissions') = 'array' THEN ARRAY(
                      SELECT permission FROM jsonb_array_elements_text(to_jsonb(old) -> 'permissions') AS permission
                      WHERE permission IS NOT NULL
                    ) END
                  FROM "AdminToken" AS old
                  WHERE NOT $1 AND "id" > $2 AND to_jsonb(old) ->> 'lookup' IS NULL
                ) AS credential
                ORDER BY id
                LIMIT 1000
                "#,
                are_keys,
                after,
            );
            let rows = self.db().await?.rows(query).await?;
            let credential = |(id, name, text, is_active, expires_at, allowed_ips, rate_limit, permissions)| OldCredential {
                id,
                name,
                text: Plaintext::new(text),
                is_active,
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
