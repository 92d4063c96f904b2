//! The rows of `"AdminToken"`.

use super::connection::Share;
use super::handle::Store;
use super::legacy::PlaintextToken;
use crate::error::Error;
use crate::model::{AdminToken, CredentialDigest, Timestamp, legacy_permissions};

/// The row of a presented token.
#[derive(Debug, Clone)]
pub struct StoredToken {
    pub token: AdminToken,
    /// The plaintext, if this is a legacy row that has not been imported yet.
    pub plaintext: Option<PlaintextToken>,
}

struct TokenRow {
    id: String,
    name: String,
    description: Option<String>,
    is_active: bool,
    permissions: Option<Vec<String>>,
    is_plaintext: bool,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_used_at: Option<Timestamp>,
}

/// A query that returns token rows: it selects the columns of [`TokenRow`] and ends with `$tail`.
macro_rules! token_rows {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            TokenRow,
            r#"
            SELECT
              "id",
              coalesce("name", '') AS "name!",
              "description",
              coalesce("isActive", false) AS "is_active!",
              CASE WHEN "permissions" IS NOT NULL
                THEN ARRAY(SELECT permission FROM unnest("permissions") AS permission WHERE permission IS NOT NULL)
              END AS "permissions",
              "lookup" IS NULL AS "is_plaintext!",
              "expiresAt" AS "expires_at: Timestamp",
              "createdAt" AS "created_at!: Timestamp",
              "updatedAt" AS "updated_at!: Timestamp",
              "lastUsedAt" AS "last_used_at: Timestamp"
            FROM "AdminToken"
            "#
            + $tail
            $(, $argument)*
        )
    };
}

impl From<TokenRow> for AdminToken {
    /// A legacy row without permissions derives them from its name. The import will store the same ones.
    fn from(row: TokenRow) -> Self {
        let permissions = match row.permissions {
            Some(permissions) => permissions,
            None if row.is_plaintext => legacy_permissions(&row.name),
            None => Vec::new(),
        };
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            is_active: row.is_active,
            permissions,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_used_at: row.last_used_at,
        }
    }
}

impl Store {
    /// Stores only the digest of the token. The id was generated before, so the statement can be repeated safely.
    pub async fn insert_admin_token(&self, token: &AdminToken, digest: &str) -> Result<(), Error> {
        self.retryable_when_admitted(Share::Manage, "insert_admin_token", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                INSERT INTO "AdminToken" (
                  "id", "token", "lookup", "name", "description", "isActive", "permissions", "expiresAt",
                  "createdAt", "updatedAt"
                )
                VALUES ($1, $2, $2, $3, $4, true, $5, $6, $7, $7)
                ON CONFLICT ("id") DO NOTHING
                "#,
                token.id,
                digest,
                token.name,
                token.description,
                &token.permissions,
                token.expires_at as _,
                token.created_at as _,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }

    /// The row that holds this digest, or the plaintext of this token.
    pub async fn find_admin_token(
        &self,
        digest: &CredentialDigest,
    ) -> Result<Option<StoredToken>, Error> {
        let lookup = digest.lookup();
        self.retryable_when_admitted(Share::Verify, "find_admin_token", || async {
            let row = token_rows!(
                r#"
                WHERE "lookup" = $1
                  OR ("lookup" IS NULL AND sophra_api_keys.plaintext_digest("token") = $2)
                ORDER BY "lookup" = $1 DESC NULLS LAST
                LIMIT 1
                "#,
                lookup,
                digest.bytes(),
            )
            .fetch_optional(&mut self.db().await?)
            .await?;
            Ok(row.map(|row| StoredToken {
                plaintext: row.is_plaintext.then(|| PlaintextToken {
                    id: row.id.clone(),
                    name: row.name.clone(),
                    permissions: row.permissions.clone(),
                    digest: *digest,
                }),
                token: row.into(),
            }))
        })
        .await
    }

    /// All admin tokens, newest first.
    pub async fn list_admin_tokens(&self) -> Result<Vec<AdminToken>, Error> {
        self.retryable_when_admitted(Share::Manage, "list_admin_tokens", || async {
            let rows = token_rows!(r#"ORDER BY "createdAt" DESC, "id" DESC"#)
                .fetch_all(&mut self.db().await?)
                .await?;
            Ok(rows.into_iter().map(AdminToken::from).collect())
        })
        .await
    }

    /// Returns whether the token exists.
    pub async fn revoke_admin_token(&self, id: &str, now: Timestamp) -> Result<bool, Error> {
        self.retryable_when_admitted(Share::Manage, "revoke_admin_token", || async {
            let mut db = self.begin_change().await?;
            let done = sqlx::query!(
                r#"UPDATE "AdminToken" SET "isActive" = false, "updatedAt" = $2 WHERE "id" = $1"#,
                id,
                now as _,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    /// Stores the last uses. A row that another session has locked keeps an earlier one until the next use.
    pub async fn touch_admin_tokens(&self, ids: &[String], at: &[Timestamp]) -> Result<(), Error> {
        self.retryable("touch_admin_tokens", || async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                WITH free AS MATERIALIZED (
                  SELECT "id" FROM "AdminToken" WHERE "id" = ANY($1)
                  ORDER BY "id"
                  FOR NO KEY UPDATE SKIP LOCKED
                )
                UPDATE "AdminToken" AS token SET "lastUsedAt" = greatest(token."lastUsedAt", used.at)
                FROM unnest($1::text[], $2::timestamp[]) AS used (id, at) JOIN free ON free."id" = used.id
                WHERE token."id" = used.id
                "#,
                ids,
                at as _,
            )
            .execute(&mut db)
            .await;
            db.settle(done).await?;
            Ok(())
        })
        .await
    }
}
