//! Legacy rows: those whose `"lookup"` is NULL still hold plaintext. The server computes the digest by which such a row is
//! found, so no plaintext is sent to be compared, and none appears in a log.

use super::connection::Share;
use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;
use crate::model::{CredentialDigest, Plaintext, StoredHash};

/// A key that is stored in plaintext.
#[derive(Debug, Clone)]
pub struct PlaintextKey {
    pub id: String,
    pub key: Plaintext,
    pub digest: CredentialDigest,
}

/// An admin token that is stored in plaintext. The token itself is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaintextToken {
    pub id: String,
    pub name: String,
    /// `None` if no permissions were stored yet.
    pub permissions: Option<Vec<String>>,
    pub digest: CredentialDigest,
}

/// A range of digests without its bounds. A bound may be shorter or longer than any digest.
#[derive(Debug, Clone)]
pub struct DigestRange {
    pub after: Vec<u8>,
    pub until: Vec<u8>,
}

fn digest(bytes: Option<Vec<u8>>) -> Result<CredentialDigest, StoreError> {
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(CredentialDigest::from_bytes)
        .ok_or(StoreError::Unexpected("a digest of the wrong length"))
}

impl Store {
    /// Whether there is a key that another program issued: in plaintext, replaced by its hash, or imported. The range leaves
    /// only those for the index to read, whatever the collation; the pattern alone would read the whole table.
    pub async fn has_legacy_keys(&self) -> Result<bool, Error> {
        self.retryable_when_admitted(Share::Verify, "has_legacy_keys", || async {
            sqlx::query_scalar!(
                r#"
                SELECT EXISTS (SELECT FROM "ApiKey" WHERE "lookup" IS NULL)
                  OR EXISTS (
                    SELECT FROM "ApiKey"
                    WHERE "lookup" >= 'sha256' AND "lookup" < 'sha257' AND "lookup" LIKE 'sha256:%'
                  )
                  OR EXISTS (
                    SELECT FROM "ApiKey"
                    WHERE "previousLookup" >= 'sha256'
                      AND "previousLookup" < 'sha257'
                      AND "previousLookup" LIKE 'sha256:%'
                  )
                  OR EXISTS (SELECT FROM sophra_api_keys.import_forms) AS "any!"
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// The next keys to import, in the order of their digests. A key whose hash is already stored in another row is
    /// left out, because a lookup is unique.
    pub async fn plaintext_keys(
        &self,
        range: &DigestRange,
        limit: i64,
    ) -> Result<Vec<PlaintextKey>, Error> {
        self.retryable("plaintext_keys", || async {
            let query = sqlx::query!(
                r#"
                SELECT "id", "key", sophra_api_keys.plaintext_digest("key") AS "digest"
                FROM "ApiKey"
                WHERE "lookup" IS NULL
                  AND sophra_api_keys.plaintext_digest("key") > $1
                  AND sophra_api_keys.plaintext_digest("key") < $2
                  AND NOT EXISTS (
                    SELECT FROM "ApiKey" AS other
                    WHERE other."lookup"
                      = 'sha256:' || encode(sophra_api_keys.plaintext_digest("ApiKey"."key"), 'hex')
                  )
                ORDER BY sophra_api_keys.plaintext_digest("key")
                LIMIT $3
                "#,
                range.after,
                range.until,
                limit,
            );
            let rows = self.db().await?.rows(query).await?;
            let keys = rows.into_iter().map(|(id, key, stored)| {
                Ok(PlaintextKey {
                    id,
                    key: Plaintext::new(key),
                    digest: digest(stored)?,
                })
            });
            keys.collect()
        })
        .await
    }

    /// The key of this row, if it is stored in plaintext.
    pub async fn plaintext_key(&self, id: &str) -> Result<Option<PlaintextKey>, Error> {
        self.retryable_when_admitted(Share::Manage, "plaintext_key", || async {
            let row = sqlx::query!(
                r#"
                SELECT "key", sophra_api_keys.plaintext_digest("key") AS "digest"
                FROM "ApiKey" WHERE "id" = $1 AND "lookup" IS NULL
                "#,
                id,
            )
            .fetch_optional(&mut self.db().await?)
            .await?;
            let key = row.map(|row| {
                Ok(PlaintextKey {
                    id: id.to_owned(),
                    key: Plaintext::new(row.key),
                    digest: digest(row.digest)?,
                })
            });
            key.transpose()
        })
        .await
    }

    /// Replaces the plaintext with this digest by its hash, unless the key has changed since or another session has
    /// locked the row. Returns whether it was replaced.
    pub async fn hash_plaintext_key(
        &self,
        id: &str,
        digest: &CredentialDigest,
        hash: &StoredHash,
        cold_digest: Option<&[u8]>,
    ) -> Result<bool, Error> {
        self.retryable("hash_plaintext_key", || async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                WITH free AS (
                  SELECT "id" FROM "ApiKey"
                  WHERE "id" = $1
                    AND "lookup" IS NULL
                    AND sophra_api_keys.plaintext_digest("key") = $2
                    AND NOT EXISTS (SELECT FROM "ApiKey" AS other WHERE other."lookup" = $4)
                  FOR UPDATE SKIP LOCKED
                )
                UPDATE "ApiKey" AS key SET "key" = $3, "lookup" = $4, "coldDigest" = $5
                FROM free WHERE key."id" = free."id"
                "#,
                id,
                digest.bytes(),
                hash.as_str(),
                digest.lookup(),
                cold_digest,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    /// The next admin tokens to import, in the order of their ids.
    pub async fn plaintext_tokens(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<PlaintextToken>, Error> {
        self.retryable("plaintext_tokens", || async {
            let query = sqlx::query!(
                r#"
                SELECT
                  "id",
                  coalesce("name", '') AS "name!",
                  CASE WHEN "permissions" IS NOT NULL
                    THEN ARRAY(SELECT permission FROM unnest("permissions") AS permission WHERE permission IS NOT NULL)
                  END AS "permissions",
                  sophra_api_keys.plaintext_digest("token") AS "digest"
                FROM "AdminToken"
                WHERE "lookup" IS NULL AND "token" NOT LIKE 'sha256:%' AND "id" > $1
                ORDER BY "id"
                LIMIT $2
                "#,
                after,
                limit,
            );
            let rows = self.db().await?.rows(query).await?;
            let tokens = rows.into_iter().map(|(id, name, permissions, stored)| {
                Ok(PlaintextToken {
                    id,
                    name,
                    permissions,
                    digest: digest(stored)?,
                })
            });
            tokens.collect()
        })
        .await
    }

    /// The token of this row, if it is stored in plaintext.
    pub async fn plaintext_token(&self, id: &str) -> Result<Option<PlaintextToken>, Error> {
        self.retryable("plaintext_token", || async {
            let row = sqlx::query!(
                r#"
                SELECT
                  coalesce("name", '') AS "name!",
                  CASE WHEN "permissions" IS NOT NULL
                    THEN ARRAY(SELECT permission FROM unnest("permissions") AS permission WHERE permission IS NOT NULL)
                  END AS "permissions",
                  sophra_api_keys.plaintext_digest("token") AS "digest"
                FROM "AdminToken"
                WHERE "id" = $1 AND "lookup" IS NULL AND "token" NOT LIKE 'sha256:%'
                "#,
                id,
            )
            .fetch_optional(&mut self.db().await?)
            .await?;
            let token = row.map(|row| {
                Ok(PlaintextToken {
                    id: id.to_owned(),
                    name: row.name,
                    permissions: row.permissions,
                    digest: digest(row.digest)?,
                })
            });
            token.transpose()
        })
        .await
    }

    /// Replaces the token by its digest and stores its permissions, unless the row has changed since or another session
    /// has locked it. Returns whether that was done.
    pub async fn hash_plaintext_token(
        &self,
        token: &PlaintextToken,
        permissions: &[String],
    ) -> Result<bool, Error> {
        self.retryable("hash_plaintext_token", || async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                WITH free AS (
                  SELECT "id" FROM "AdminToken"
                  WHERE "id" = $1
                    AND "lookup" IS NULL
                    AND sophra_api_keys.plaintext_digest("token") = $2
                    AND coalesce("name", '') = $3
                    AND CASE WHEN "permissions" IS NOT NULL
                      THEN ARRAY(SELECT permission FROM unnest("permissions") AS permission WHERE permission IS NOT NULL)
                    END IS NOT DISTINCT FROM $4
                    AND NOT EXISTS (SELECT FROM "AdminToken" AS other WHERE other."lookup" = $5)
                  FOR UPDATE SKIP LOCKED
                )
                UPDATE "AdminToken" AS token SET "token" = $5, "lookup" = $5, "permissions" = $6
                FROM free WHERE token."id" = free."id"
                "#,
                token.id,
                token.digest.bytes(),
                token.name,
                token.permissions.as_deref(),
                token.digest.lookup(),
                permissions,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}
