//! What a verify stores: better hashes and cold digests.

use super::handle::Store;
use crate::error::Error;
use crate::model::StoredHash;

/// What became of a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    Stored,
    /// It is there already, or the key has changed.
    NotDue,
    /// Another session has locked the row.
    Locked,
}

impl Store {
    /// Replaces the hash of a key that has just been verified by one with the configured parameters, and its cold digest if
    /// there is a new one, unless the key has changed since or another session has locked the row. Returns whether it was replaced.
    pub async fn replace_hash(
        &self,
        id: &str,
        proved: &StoredHash,
        hash: &StoredHash,
        digest: Option<&[u8]>,
    ) -> Result<bool, Error> {
        self.retryable("replace_hash", || async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                UPDATE "ApiKey" SET "key" = $3, "coldDigest" = coalesce($4, "coldDigest")
                WHERE "id" = (
                  SELECT "id" FROM "ApiKey" WHERE "id" = $1 AND "key" = $2 FOR UPDATE SKIP LOCKED
                )
                "#,
                id,
                proved.as_str(),
                hash.as_str(),
                digest,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }

    /// Stores the cold digest of a key that has just been verified, or of the previous key of its row, unless it is there
    /// already or the key has changed. Waits for no lock.
    pub async fn keep_cold_digest(
        &self,
        id: &str,
        proved: &StoredHash,
        digest: &[u8],
    ) -> Result<Kept, Error> {
        self.retryable("keep_cold_digest", || async {
            let mut db = self.db().await?;
            let kept = sqlx::query!(
                r#"
                WITH
                  due AS (
                    SELECT "id" FROM "ApiKey"
                    WHERE "id" = $1
                      AND (
                        "key" = $2 AND "coldDigest" IS DISTINCT FROM $3
                        OR "previousKey" = $2 AND "previousColdDigest" IS DISTINCT FROM $3
                      )
                  ),
                  stored AS (
                    UPDATE "ApiKey" SET
                      "coldDigest" = CASE WHEN "key" = $2 THEN $3 ELSE "coldDigest" END,
                      "previousColdDigest" = CASE WHEN "previousKey" = $2 THEN $3 ELSE "previousColdDigest" END
                    WHERE "id" = (
                      SELECT "id" FROM "ApiKey"
                      WHERE "id" IN (SELECT "id" FROM due) AND $2 IN ("key", "previousKey")
                      FOR NO KEY UPDATE SKIP LOCKED
                    )
                    RETURNING "id"
                  )
                SELECT
                  EXISTS (SELECT FROM due) AS "is_due!",
                  EXISTS (SELECT FROM stored) AS "is_stored!"
                "#,
                id,
                proved.as_str(),
                digest,
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            Ok(match (kept.is_stored, kept.is_due) {
                (true, _) => Kept::Stored,
                (false, true) => Kept::Locked,
                (false, false) => Kept::NotDue,
            })
        })
        .await
    }
}
