//! The rows that `doctor` reports.

use futures_util::TryStreamExt;
use sqlx::FromRow;

use crate::error::Error;
use crate::model::{AllowList, Metadata, Timestamp};
use crate::store::Store;
use crate::store::connection::error::StoreError;

/// Counts over the rows.
pub struct RowCounts {
    pub keys: i64,
    /// Keys and admin tokens whose hash is stored without its lookup.
    pub lost_keys: i64,
    pub lost_tokens: i64,
    /// Keys with a rate limit below 1, which means no limit.
    pub odd_rate_limits: i64,
}

/// The number of allow-lists, and the keys whose allow-list cannot be parsed.
#[derive(Default)]
pub struct AllowLists {
    pub lists: usize,
    pub unreadable: UnreadableRows,
}

/// A number of keys or clients, and the ids of some of them.
#[derive(Default)]
pub struct UnreadableRows {
    pub count: usize,
    pub examples: Vec<String>,
}

impl UnreadableRows {
    pub(super) fn add(&mut self, id: String) {
        const EXAMPLES_MAX: usize = 5;
        self.count += 1;
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(id);
        }
    }
}

impl Store {
    pub async fn rows(&self) -> Result<RowCounts, Error> {
        self.retryable("rows", || async {
            sqlx::query_as!(
                RowCounts,
                r#"
                SELECT
                  count(*) AS "keys!",
                  count(*) FILTER (
                    WHERE "lookup" IS NULL
                      AND "key" ~ '^\$(import\$|argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$)'
                  ) AS "lost_keys!",
                  (
                    SELECT count(*) FROM "AdminToken" WHERE "lookup" IS NULL AND "token" LIKE 'sha256:%'
                  ) AS "lost_tokens!",
                  count(*) FILTER (WHERE "rateLimit" < 1) AS "odd_rate_limits!"
                FROM "ApiKey"
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    pub async fn allow_lists(&self) -> Result<AllowLists, Error> {
        self.retryable("allow_lists", || async {
            let mut db = self.db().await?;
            let query = sqlx::query!(
                r#"
                SELECT "id", ARRAY(SELECT coalesce(entry, '') FROM unnest("allowedIps") AS entry) AS "entries!"
                FROM "ApiKey"
                WHERE cardinality("allowedIps") > 0
                "#
            );
            let mut rows = db.row_stream(query)?;
            let mut found = AllowLists::default();
            while let Some(row) = rows.try_next().await? {
                let (id, entries): (String, Vec<String>) = FromRow::from_row(&row)?;
                found.lists += 1;
                if AllowList::parse(&entries) == AllowList::Nobody {
                    found.unreadable.add(id);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Keys whose metadata cannot be read: it is not an object, a number is too large, or the nesting too deep. The
    /// latter two have more than 250 characters, so shorter objects are not examined.
    pub async fn unreadable_metadata(&self) -> Result<UnreadableRows, Error> {
        self.retryable("unreadable_metadata", || async {
            let mut db = self.db().await?;
            let query = sqlx::query!(
                r#"
                SELECT "id", "metadata" AS "metadata!: Metadata"
                FROM "ApiKey"
                WHERE jsonb_typeof("metadata") NOT IN ('object', 'null') OR length("metadata"::text) > 250
                "#
            );
            let mut rows = db.row_stream(query)?;
            let mut found = UnreadableRows::default();
            while let Some(row) = rows.try_next().await? {
                let (id, metadata): (String, Metadata) = FromRow::from_row(&row)?;
                if !metadata.is_readable() {
                    found.add(id);
                }
            }
            Ok(found)
        })
        .await
    }

    /// The fingerprints of signing keys that usable API keys need but `held` lacks, with the number of these API keys.
    pub async fn uncovered_keys(
        &self,
        held: &[String],
        now: Timestamp,
    ) -> Result<Vec<(String, i64)>, Error> {
        self.retryable("uncovered_keys", || async {
            let query = sqlx::query!(
                r#"
                SELECT fingerprint AS "fingerprint!", count(*) AS "keys!"
                FROM "ApiKey",
                  unnest(ARRAY[
                    "signingKey",
                    CASE WHEN "previousKeyExpiresAt" > $2 THEN "previousSigningKey" END
                  ]) AS fingerprint
                WHERE "isActive"
                  AND ("expiresAt" IS NULL OR "expiresAt" > $2)
                  AND fingerprint IS NOT NULL
                  AND fingerprint <> ALL($1)
                GROUP BY fingerprint
                ORDER BY fingerprint
                "#,
                held,
                now as _,
            );
            Ok(self.db().await?.rows(query).await?)
        })
        .await
    }
}
