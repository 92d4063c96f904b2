//! Idempotency keys: which key was created with each of them within a day.

use super::connection::Session;
use super::handle::Store;
use crate::error::Error;
use crate::model::IdempotencyKey;

/// An idempotency key that was used before.
#[derive(Debug, Clone)]
pub struct UsedIdempotencyKey {
    /// The digest of the input that came with it.
    pub input: Vec<u8>,
    /// The key that was created.
    pub key_id: String,
}

/// The use of the idempotency key within a day, if there is one.
pub(super) async fn used_idempotency_key(
    db: &mut Session,
    idempotency: &IdempotencyKey,
) -> sqlx::Result<Option<UsedIdempotencyKey>> {
    sqlx::query_as!(
        UsedIdempotencyKey,
        r#"
        SELECT input, key_id FROM sophra_api_keys.idempotency_keys
        WHERE digest = $1 AND used_at >= now() - INTERVAL '1 day'
        "#,
        &idempotency.digest[..],
    )
    .fetch_optional(db)
    .await
}

impl Store {
    /// Deletes the idempotency keys that were used more than a day ago.
    pub async fn prune_idempotency_keys(&self) -> Result<(), Error> {
        /// Rows per statement, so that none takes too long.
        const PART: i64 = 10_000;
        let prune_part = || async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                DELETE FROM sophra_api_keys.idempotency_keys
                WHERE digest IN (
                  SELECT digest FROM sophra_api_keys.idempotency_keys
                  WHERE used_at < now() - INTERVAL '1 day'
                  LIMIT $1
                )
                "#,
                PART
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected())
        };
        while self.retryable("prune_idempotency_keys", prune_part).await? == PART.unsigned_abs() {}
        Ok(())
    }
}
