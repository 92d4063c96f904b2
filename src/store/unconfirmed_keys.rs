//! Deletes keys whose creation was not confirmed.

use super::handle::Store;
use crate::error::Error;
use crate::model::StoredHash;

impl Store {
    /// Deletes those of the keys that exist with the hash they were created with, and frees their idempotency keys. Rows
    /// that another session has locked are left. Returns the ids of the deleted ones.
    pub async fn delete_unconfirmed_keys(
        &self,
        keys: &[(String, StoredHash)],
    ) -> Result<Vec<String>, Error> {
        let ids: Vec<_> = keys.iter().map(|(id, _)| id.clone()).collect();
        let hashes: Vec<_> = keys
            .iter()
            .map(|(_, hash)| hash.as_str().to_owned())
            .collect();
        self.retryable("delete_unconfirmed_keys", || async {
            let mut db = self.db().await?;
            let deleted = sqlx::query_scalar!(
                r#"
                WITH
                  free AS MATERIALIZED (
                    SELECT key."id" FROM "ApiKey" AS key
                    JOIN unnest($1::text[], $2::text[]) AS created (id, hash)
                      ON key."id" = created.id AND key."key" = created.hash
                    ORDER BY key."id"
                    FOR UPDATE OF key SKIP LOCKED
                  ),
                  deleted AS (
                    DELETE FROM "ApiKey" WHERE "id" IN (SELECT free."id" FROM free) RETURNING "id"
                  ),
                  freed AS (
                    DELETE FROM sophra_api_keys.idempotency_keys
                    WHERE key_id IN (SELECT deleted."id" FROM deleted)
                  )
                SELECT deleted."id" FROM deleted
                "#,
                &ids,
                &hashes,
            )
            .fetch_all(&mut db)
            .await;
            db.settle(deleted).await
        })
        .await
    }
}
