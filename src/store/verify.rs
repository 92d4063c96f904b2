//! What a verify stores: better hashes and cold digests.

use super::handle::Store;
use crate::error::Error;
use crate::model::StoredHash;

impl Store {
    /// Replaces the hash of a key that has just been verified by one with the configured parameters, unless the key has
    /// changed since or another session has locked the row.
    pub async fn replace_hash(
        &self,
        id: &str,
        proved: &StoredHash,
        hash: &StoredHash,
    ) -> Result<(), Error> {
        self.retryable("replace_hash", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                UPDATE "ApiKey" SET "key" = $3
                WHERE "id" = (
                  SELECT "id" FROM "ApiKey" WHERE "id" = $1 AND "key" = $2 FOR UPDATE SKIP LOCKED
                )
                "#,
                id,
                proved.as_str(),
                hash.as_str(),
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }

    /// Stores the cold digest of a key that has just been verified, unless the key has changed since or another session has
    /// locked the row.
    pub async fn keep_cold_digest(
        &self,
        id: &str,
        proved: &StoredHash,
        digest: &[u8],
    ) -> Result<(), Error> {
        self.retryable("keep_cold_digest", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                UPDATE "ApiKey" SET "coldDigest" = $3
                WHERE "id" = (
                  SELECT "id" FROM "ApiKey" WHERE "id" = $1 AND "key" = $2
                  FOR NO KEY UPDATE SKIP LOCKED
                )
                "#,
                id,
                proved.as_str(),
                digest,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }
}
