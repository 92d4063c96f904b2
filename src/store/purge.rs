//! Deletes keys that were revoked long ago.

use serde_json::Value;

use super::handle::Store;
use crate::error::Error;
use crate::model::{AuditEntry, Timestamp};

/// A key that is to be purged, and the place in the order of those that come after it.
#[derive(Debug, Clone)]
pub struct KeyToPurge {
    pub id: String,
    /// As `instant_value` has it, exactly: another writer may have stored any instant.
    pub revoked_at: String,
}

impl Store {
    /// The next keys that were revoked more than this many days ago, those of the oldest revocations first, `most` of them.
    /// The clock is that of the database, as in [`purge_keys`](Self::purge_keys).
    pub async fn keys_to_purge(
        &self,
        days: i32,
        after: Option<&KeyToPurge>,
        most: i64,
    ) -> Result<Vec<KeyToPurge>, Error> {
        let (revoked_at, id) = after.map(|key| (&key.revoked_at, &key.id)).unzip();
        self.retryable("keys_to_purge", || async {
            let query = sqlx::query!(
                r#"
                SELECT "id", sophra_api_keys.instant_value("revokedAt") AS "revoked_at!" FROM "ApiKey"
                WHERE "revokedAt" < (now() AT TIME ZONE 'UTC') - make_interval(days => $1)
                  AND ("revokedAt", "id") > (coalesce(sophra_api_keys.instant_of($2), '-infinity'), coalesce($3, ''))
                ORDER BY "revokedAt", "id"
                LIMIT $4
                "#,
                days,
                revoked_at,
                id,
                most,
            );
            let rows = self.db().await?.rows(query).await?;
            let key = |(id, revoked_at)| KeyToPurge { id, revoked_at };
            Ok(rows.into_iter().map(key).collect())
        })
        .await
    }

    /// Deletes those of the keys that are still to be purged, and writes the audit entry of each, so that no deletion lacks
    /// one. Rows that another session has locked are left: their keys may be about to be restored. Returns the ids of the
    /// deleted ones.
    pub async fn purge_keys(
        &self,
        ids: &[String],
        entries: &[AuditEntry],
        days: i32,
    ) -> Result<Vec<String>, Error> {
        let entry_ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let at: Vec<Timestamp> = entries.iter().map(|entry| entry.at).collect();
        let events: Vec<Value> = entries.iter().map(|entry| entry.event.clone()).collect();
        self.retryable("purge_keys", || async {
            let mut db = self.begin_change().await?;
            let purged = sqlx::query_scalar!(
                r#"
                WITH
                  free AS MATERIALIZED (
                    SELECT key."id", due.entry_id, due.at, due.event
                    FROM "ApiKey" AS key
                    JOIN unnest($1::text[], $2::text[], $3::timestamp[], $4::jsonb[]) AS due (id, entry_id, at, event)
                      ON key."id" = due.id
                    WHERE key."revokedAt" < (now() AT TIME ZONE 'UTC') - make_interval(days => $5)
                    ORDER BY key."id"
                    FOR UPDATE OF key SKIP LOCKED
                  ),
                  deleted AS (
                    DELETE FROM "ApiKey"
                    WHERE "id" IN (SELECT free."id" FROM free) AND sophra_api_keys.told(NULL, '{"reason": "purged"}')
                    RETURNING "id"
                  ),
                  recorded AS (
                    INSERT INTO sophra_api_keys.audit (id, at, type, key_id, count, event)
                    SELECT entry_id, at, event ->> 'type', event ->> 'keyId', 1, event
                    FROM free JOIN deleted USING ("id")
                  )
                SELECT deleted."id" FROM deleted
                "#,
                ids,
                &entry_ids,
                &at as _,
                &events,
                days,
            )
            .fetch_all(&mut db)
            .await;
            db.settle(purged).await
        })
        .await
    }
}
