//! The rows of `"AdminToken"`.

use serde_json::json;

use super::connection::Share;
use super::handle::Store;
use super::legacy::PlaintextToken;
use crate::error::Error;
use crate::model::{
    AdminToken, CredentialDigest, Timestamp, TokenQuery, TokenStatus, legacy_names_that_permit,
    legacy_permissions,
};

/// The row of a presented token.
#[derive(Debug, Clone)]
pub struct StoredToken {
    pub token: AdminToken,
    /// The expiry of the presented token by its row; `None` if it was not issued by this package.
    pub expires_at: Option<Timestamp>,
    /// When the grace period ends, if it is the one that a rotation has replaced.
    pub grace_ends_at: Option<Timestamp>,
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
    rotated_at: Option<Timestamp>,
    previous_lookup: Option<String>,
    previous_expires_at: Option<Timestamp>,
    previous_token_expires_at: Option<Timestamp>,
}

/// A new token for a row, in place of the one that it has.
#[derive(Debug)]
pub struct TokenRotation {
    /// The digest of the new token.
    pub lookup: String,
    pub expires_at: Timestamp,
    /// Until when the replaced token is valid.
    pub grace_ends_at: Option<Timestamp>,
    pub at: Timestamp,
}

/// A query that returns token rows: it selects the columns of [`TokenRow`] and ends with `$tail`.
macro_rules! token_rows {
    ($tail:literal $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            TokenRow,
            r#"
            SELECT
              "AdminToken"."id",
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
              "lastUsedAt" AS "last_used_at: Timestamp",
              "rotatedAt" AS "rotated_at: Timestamp",
              "previousLookup" AS "previous_lookup",
              "previousExpiresAt" AS "previous_expires_at: Timestamp",
              "previousTokenExpiresAt" AS "previous_token_expires_at: Timestamp"
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
            rotated_at: row.rotated_at,
            previous_token_expires_at: row.previous_token_expires_at,
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

    /// The row that holds this digest, or the plaintext of this token, or whose token this was before its rotation.
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
                  OR "previousLookup" = $1
                ORDER BY "lookup" = $1 DESC NULLS LAST, "previousLookup" = $1 NULLS FIRST
                LIMIT 1
                "#,
                lookup,
                digest.bytes(),
            )
            .fetch_optional(&mut self.db().await?)
            .await?;
            Ok(row.map(|row| {
                let is_previous = row.previous_lookup.as_deref() == Some(&*lookup);
                StoredToken {
                    plaintext: row.is_plaintext.then(|| PlaintextToken {
                        id: row.id.clone(),
                        name: row.name.clone(),
                        permissions: row.permissions.clone(),
                        digest: *digest,
                    }),
                    expires_at: if is_previous {
                        row.previous_expires_at
                    } else {
                        row.expires_at
                    },
                    // Without an end there is no grace.
                    grace_ends_at: is_previous
                        .then(|| row.previous_token_expires_at.unwrap_or(Timestamp::MIN)),
                    token: row.into(),
                }
            }))
        })
        .await
    }

    /// The admin tokens of a query, newest first.
    pub async fn list_admin_tokens(
        &self,
        query: &TokenQuery,
        now: Timestamp,
    ) -> Result<Vec<AdminToken>, Error> {
        let permission = query.permission.as_deref();
        let query = json!({
            "limit": query.limit, "after": query.after, "id": query.id, "status": query.status.map(TokenStatus::name),
            "now": now, "search": query.search, "expiresBefore": query.expires_before, "unusedSince": query.unused_since,
            "permission": permission, "names": permission.map(legacy_names_that_permit),
        });
        self.retryable_when_admitted(Share::Manage, "list_admin_tokens", || async {
            let rows = token_rows!(
                r#"
                CROSS JOIN jsonb_to_record($1) AS wanted (
                  "limit" INTEGER, after TEXT, id TEXT, status TEXT, now TEXT, search TEXT, "expiresBefore" TEXT,
                  "unusedSince" TEXT, permission TEXT, names TEXT
                )
                WHERE (wanted.id IS NULL OR "AdminToken"."id" = wanted.id)
                  AND (wanted.status IS NULL OR wanted.status = CASE
                    WHEN NOT coalesce("isActive", false) THEN 'revoked'
                    WHEN "expiresAt" <= sophra_api_keys.instant_at(wanted.now) THEN 'expired'
                    ELSE 'active'
                  END)
                  AND (
                    wanted.search IS NULL
                    OR sophra_api_keys.folded(coalesce("name", '')) LIKE sophra_api_keys.folded(wanted.search)
                  )
                  AND (
                    wanted."expiresBefore" IS NULL
                    OR "expiresAt" < sophra_api_keys.instant_at(wanted."expiresBefore")
                  )
                  AND (
                    wanted."unusedSince" IS NULL
                    OR coalesce("lastUsedAt", "createdAt") < sophra_api_keys.instant_at(wanted."unusedSince")
                  )
                  AND (
                    wanted.permission IS NULL
                    OR "permissions" && ARRAY['*', wanted.permission]
                    OR ("permissions" IS NULL AND "lookup" IS NULL AND "name" ~ wanted.names)
                  )
                  AND (
                    wanted.after IS NULL
                    OR ("createdAt", "AdminToken"."id") < (
                      SELECT "createdAt", "id" FROM "AdminToken" WHERE "id" = wanted.after
                    )
                  )
                ORDER BY "createdAt" DESC, "AdminToken"."id" DESC
                LIMIT ($1 ->> 'limit')::integer
                "#,
                query,
            )
            .fetch_all(&mut self.db().await?)
            .await?;
            Ok(rows.into_iter().map(AdminToken::from).collect())
        })
        .await
    }

    /// Replaces the token of this row, unless the row has changed in what the new token depends on. Returns whether it was
    /// replaced. Another rotation ends the grace period of the one before.
    pub async fn rotate_admin_token(
        &self,
        before: &AdminToken,
        rotation: &TokenRotation,
    ) -> Result<bool, Error> {
        self.change("rotate_admin_token", &before.id, || async {
            let mut db = self.begin_change().await?;
            let done = sqlx::query!(
                r#"
                UPDATE "AdminToken" SET
                  "previousLookup" = CASE WHEN $2::timestamp IS NOT NULL THEN
                    coalesce("lookup", 'sha256:' || encode(sophra_api_keys.plaintext_digest("token"), 'hex'))
                  END,
                  "previousExpiresAt" = CASE WHEN $2::timestamp IS NOT NULL THEN "expiresAt" END,
                  "previousTokenExpiresAt" = $2,
                  "token" = $3,
                  "lookup" = $3,
                  "expiresAt" = $4,
                  "permissions" = $5,
                  "rotatedAt" = $6,
                  "updatedAt" = $6
                WHERE "id" = $1
                  AND "isActive"
                  AND coalesce("name", '') = $7
                  AND (
                    ARRAY(
                      SELECT permission FROM unnest(coalesce("permissions", '{}')) AS permission WHERE permission IS NOT NULL
                    ) = $5
                    OR ("permissions" IS NULL AND "lookup" IS NULL)
                  )
                "#,
                before.id,
                rotation.grace_ends_at as _,
                rotation.lookup,
                rotation.expires_at as _,
                &before.permissions,
                rotation.at as _,
                before.name,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
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
