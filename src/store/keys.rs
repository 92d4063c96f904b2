//! The rows of `"ApiKey"`: create, read, change, delete.

use super::Store;
use super::db::Db;
use super::readable::Readable;
use crate::error::Error;
use crate::hash::Phc;
use crate::input::Change;
use crate::input::page::Cursor;
use crate::keys::{Changes, Query};
use crate::model::{ApiKey, CredentialDigest, Timestamp};

/// One row, as far as callers may see it.
pub(super) struct KeyRow {
    pub id: String,
    pub name: String,
    pub client_id: String,
    pub description: Option<String>,
    pub is_active: bool,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub allowed_ips: Vec<String>,
    pub rate_limit: Option<i32>,
    pub rate_limit_window_seconds: Option<i32>,
    pub usage_count: i64,
    pub start: Option<String>,
    pub scopes: Vec<String>,
    pub metadata: Option<Readable>,
    pub suspended_until: Option<Timestamp>,
    pub previous_key_expires_at: Option<Timestamp>,
}

/// A query that answers key rows: `$head`, the columns of [`KeyRow`], `$tail`.
///
/// An entry of `"allowedIps"` that is NULL becomes one that cannot be read, so that it refuses everyone.
macro_rules! key_rows {
    ($head:literal, $tail:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            KeyRow,
            $head
            + r#"
                "id",
                coalesce("name", '') AS "name!",
                coalesce("clientId", '') AS "client_id!",
                "description",
                coalesce("isActive", false) AS "is_active!",
                "expiresAt" AS "expires_at: Timestamp",
                "createdAt" AS "created_at!: Timestamp",
                "updatedAt" AS "updated_at!: Timestamp",
                "lastUsedAt" AS "last_used_at: Timestamp",
                array_replace(coalesce("allowedIps", '{}'), NULL, '') AS "allowed_ips!",
                "rateLimit" AS "rate_limit",
                "rateLimitWindowSeconds" AS "rate_limit_window_seconds",
                "usageCount"::bigint AS "usage_count!",
                "start",
                "scopes",
                "metadata" AS "metadata: Readable",
                "suspendedUntil" AS "suspended_until: Timestamp",
                "previousKeyExpiresAt" AS "previous_key_expires_at: Timestamp"
            "#
            + $tail,
            $($argument),*
        )
    };
}

impl From<KeyRow> for ApiKey {
    fn from(row: KeyRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            client_id: row.client_id,
            description: row.description,
            is_active: row.is_active,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_used_at: row.last_used_at,
            allowed_ips: row.allowed_ips,
            rate_limit: row.rate_limit,
            rate_limit_window_seconds: row.rate_limit_window_seconds,
            usage_count: row.usage_count,
            start: row.start,
            scopes: row.scopes,
            metadata: row.metadata.map(|Readable(metadata)| metadata),
            suspended_until: row.suspended_until,
            previous_key_expires_at: row.previous_key_expires_at,
        }
    }
}

/// What a new or regenerated key leaves in its row.
#[derive(Debug, Clone)]
pub struct Credential {
    pub hash: Phc,
    pub lookup: String,
    pub start: String,
    /// Fingerprint of the signing key behind the tag.
    pub signing_key: String,
}

/// A new key in the place of the current one, which stays valid until `grace_until`.
#[derive(Debug, Clone)]
pub struct Rotation {
    pub credential: Credential,
    pub grace_until: Option<Timestamp>,
    /// Of a current key that is kept in plaintext: in its grace period it is kept as this hash only.
    pub replaced: Option<ReplacedPlaintext>,
}

#[derive(Debug, Clone)]
pub struct ReplacedPlaintext {
    pub digest: CredentialDigest,
    pub hash: Phc,
}

/// A key before and after a change.
#[derive(Debug)]
pub struct Changed {
    pub before: ApiKey,
    pub after: ApiKey,
}

impl Store {
    /// Safe to repeat: the id was made before, so a second insert of the same row changes nothing.
    pub async fn insert_key(&self, key: &ApiKey, credential: &Credential) -> Result<(), Error> {
        self.repeatable(|| async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                INSERT INTO "ApiKey" (
                  "id", "key", "clientId", "name", "description", "isActive", "expiresAt", "createdAt", "updatedAt",
                  "allowedIps", "rateLimit", "usageCount", "lookup", "start", "scopes", "metadata",
                  "rateLimitWindowSeconds", "signingKey"
                )
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10, 0, $11, $12, $13, $14, $15, $16)
                ON CONFLICT ("id") DO NOTHING
                "#,
                key.id,
                credential.hash.as_str(),
                key.client_id,
                key.name,
                key.description,
                key.is_active,
                key.expires_at as _,
                key.created_at as _,
                &key.allowed_ips,
                key.rate_limit,
                credential.lookup,
                credential.start,
                &key.scopes,
                key.metadata,
                key.rate_limit_window_seconds,
                credential.signing_key,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }

    pub async fn get_key(&self, id: &str) -> Result<Option<ApiKey>, Error> {
        self.repeatable(|| async {
            let mut db = self.db().await?;
            let row = key_rows!("SELECT", r#"FROM "ApiKey" WHERE "id" = $1"#, id)
                .fetch_optional(&mut db)
                .await?;
            Ok(row.map(ApiKey::from))
        })
        .await
    }

    /// Newest first. One row more than the limit tells whether there is a next page.
    pub async fn list_keys(&self, query: &Query) -> Result<Vec<ApiKey>, Error> {
        let pattern = query.search.as_deref().map(contains_pattern);
        let (before, before_id) = Cursor::parts(query.cursor.as_ref());
        self.repeatable(|| async {
            let mut db = self.db().await?;
            let rows = key_rows!(
                "SELECT",
                r#"
                FROM "ApiKey"
                WHERE ($1::timestamp IS NULL OR ("createdAt", "id") < ($1, $2))
                  AND ($3::text IS NULL OR "clientId" = $3)
                  AND ($4::boolean IS NULL OR coalesce("isActive", false) = $4)
                  AND ($5::text IS NULL OR (coalesce("name", '') || E'\n' || coalesce("description", '')) ILIKE $5)
                ORDER BY "createdAt" DESC, "id" DESC
                LIMIT $6
                "#,
                before as _,
                before_id,
                query.client_id,
                query.is_active,
                pattern,
                i64::from(query.limit) + 1,
            )
            .fetch_all(&mut db)
            .await?;
            Ok(rows.into_iter().map(ApiKey::from).collect())
        })
        .await
    }

    /// Applies the changes to the locked row and, with a rotation, replaces the key. `None`: no such row.
    pub async fn change_key(
        &self,
        id: &str,
        changes: &Changes,
        rotation: Option<&Rotation>,
        now: Timestamp,
    ) -> Result<Option<Changed>, Error> {
        self.once(|| async {
            let mut db = self.begin().await?;
            let row = key_rows!("SELECT", r#"FROM "ApiKey" WHERE "id" = $1 FOR UPDATE"#, id)
                .fetch_optional(&mut db)
                .await?;
            let Some(row) = row else { return Ok(None) };
            let before = ApiKey::from(row);
            let mut key = before.clone();
            changes.apply(&mut key, now);
            if let Some(rotation) = rotation {
                key.start = Some(rotation.credential.start.clone());
                key.previous_key_expires_at = replace_credential(&mut db, id, rotation).await?;
            }
            write_key(&mut db, &key, changes).await?;
            db.commit().await?;
            Ok(Some(Changed { before, after: key }))
        })
        .await
    }

    /// Whether there was such a row. Safe to repeat only in its effect, so a repeat would answer wrongly.
    pub async fn delete_key(&self, id: &str) -> Result<bool, Error> {
        self.once(|| async {
            let mut db = self.db().await?;
            let done = sqlx::query!(r#"DELETE FROM "ApiKey" WHERE "id" = $1"#, id)
                .execute(&mut db)
                .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    /// Removes a key whose creation ended without an answer; whether it was there.
    pub async fn delete_orphan(&self, id: &str, hash: &Phc) -> Result<bool, Error> {
        self.repeatable(|| async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"DELETE FROM "ApiKey" WHERE "id" = $1 AND "key" = $2"#,
                id,
                hash.as_str()
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

/// Writes every column that a change may set. `"metadata"` that is kept may be unreadable here, so it is not written.
async fn write_key(db: &mut Db, key: &ApiKey, changes: &Changes) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        UPDATE "ApiKey" SET
          "name" = $2,
          "clientId" = $3,
          "description" = $4,
          "isActive" = $5,
          "expiresAt" = $6,
          "updatedAt" = $7,
          "allowedIps" = $8,
          "rateLimit" = $9,
          "rateLimitWindowSeconds" = $10,
          "scopes" = $11,
          "metadata" = CASE WHEN $17 THEN $12 ELSE "metadata" END,
          "suspendedUntil" = $13,
          "limiterEpoch" = "limiterEpoch" + $14::boolean::integer,
          "previousKeyExpiresAt" = $15,
          "previousKey" = CASE WHEN $16 THEN NULL ELSE "previousKey" END,
          "previousLookup" = CASE WHEN $16 THEN NULL ELSE "previousLookup" END,
          "previousSigningKey" = CASE WHEN $16 THEN NULL ELSE "previousSigningKey" END
        WHERE "id" = $1
        "#,
        key.id,
        key.name,
        key.client_id,
        key.description,
        key.is_active,
        key.expires_at as _,
        key.updated_at as _,
        &key.allowed_ips,
        key.rate_limit,
        key.rate_limit_window_seconds,
        &key.scopes,
        key.metadata,
        key.suspended_until as _,
        changes.lift_suspension,
        key.previous_key_expires_at as _,
        changes.end_grace,
        changes.metadata != Change::Keep,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The current key becomes the previous one, if it has a grace period; the one before is gone in any case. Answers
/// until when the previous one is valid. Of a plaintext that is not the one which was hashed nothing is kept.
async fn replace_credential(
    db: &mut Db,
    id: &str,
    rotation: &Rotation,
) -> sqlx::Result<Option<Timestamp>> {
    let Rotation {
        credential,
        grace_until,
        replaced,
    } = rotation;
    let replaced = replaced.as_ref();
    sqlx::query_scalar!(
        r#"
        UPDATE "ApiKey" AS key SET
          "previousKey" = CASE WHEN previous.lookup IS NOT NULL THEN previous.hash END,
          "previousLookup" = previous.lookup,
          "previousSigningKey" = CASE WHEN previous.lookup IS NOT NULL THEN "signingKey" END,
          "previousKeyExpiresAt" = CASE WHEN previous.lookup IS NOT NULL THEN $2::timestamp END,
          "key" = $3,
          "lookup" = $4,
          "start" = $5,
          "signingKey" = $6,
          "coldDigest" = NULL
        FROM (
          SELECT
            CASE WHEN "lookup" IS NULL THEN $7 ELSE "key" END AS hash,
            CASE
              WHEN $2::timestamp IS NULL THEN NULL
              WHEN "lookup" IS NOT NULL THEN "lookup"
              WHEN sophra_api_keys.plaintext_digest("key") = $9 THEN $8
            END AS lookup
          FROM "ApiKey" WHERE "id" = $1
        ) AS previous
        WHERE key."id" = $1
        RETURNING key."previousKeyExpiresAt" AS "until: Timestamp"
        "#,
        id,
        grace_until as _,
        credential.hash.as_str(),
        credential.lookup,
        credential.start,
        credential.signing_key,
        replaced.map(|replaced| replaced.hash.as_str()),
        replaced.map(|replaced| replaced.digest.lookup()),
        replaced.map(|replaced| replaced.digest.bytes()),
    )
    .fetch_one(db)
    .await
}

/// A pattern for `ILIKE` that matches the text anywhere, literally.
fn contains_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
