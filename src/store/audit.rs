//! The audit log.

use serde_json::Value;

use super::connection::Share;
use super::handle::Store;
use crate::error::Error;
use crate::model::{
    AuditEntry, AuditQuery, Cursor, Escaped, Metadata, StoredAuditEntry, Timestamp,
};

impl Store {
    /// Appends the entries. The ids were generated before, so the statement can be repeated safely.
    pub async fn write_audit(&self, entries: &[AuditEntry]) -> Result<(), Error> {
        let events: Vec<Value> = entries.iter().map(|entry| entry.event.clone()).collect();
        let ids: Vec<String> = entries.iter().map(|entry| entry.id.clone()).collect();
        let at: Vec<Timestamp> = entries.iter().map(|entry| entry.at).collect();
        let counts: Vec<i64> = entries.iter().map(|entry| entry.count).collect();
        self.retryable("write_audit", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                INSERT INTO sophra_api_keys.audit (id, at, type, key_id, count, event)
                SELECT id, at, event ->> 'type', event ->> 'keyId', count, event
                FROM unnest($1::text[], $2::timestamp[], $3::bigint[], $4::jsonb[]) AS entry (id, at, count, event)
                ON CONFLICT (id) DO NOTHING
                "#,
                &ids,
                &at as _,
                &counts,
                &events,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }

    /// Entries, newest first. One row more than the limit shows that there is a next page.
    pub async fn list_audit(&self, query: &AuditQuery) -> Result<Vec<StoredAuditEntry>, Error> {
        let (before, before_id) = Cursor::parts(query.cursor.as_ref());
        self.retryable_when_admitted(Share::Manage, "list_audit", || async {
            let query = sqlx::query!(
                r#"
                SELECT id, at AS "at: Timestamp", count, event AS "event: Metadata"
                FROM sophra_api_keys.audit
                WHERE ($1::timestamp IS NULL OR (at, id) < ($1, $2))
                  AND ($3::text IS NULL OR key_id = $3)
                  AND ($4::text IS NULL OR type = $4)
                  AND ($5::timestamp IS NULL OR at >= $5)
                  AND ($6::timestamp IS NULL OR at < $6)
                ORDER BY at DESC, id DESC
                LIMIT $7
                "#,
                before as _,
                before_id,
                query.key_id.as_ref().map(Escaped::as_str),
                query.r#type,
                query.from as _,
                query.to as _,
                i64::from(query.limit) + 1,
            );
            let rows = self.db().await?.rows(query).await?;
            let entry = |(id, at, count, event)| StoredAuditEntry {
                id,
                at,
                count,
                event,
            };
            Ok(rows.into_iter().map(entry).collect())
        })
        .await
    }

    /// Deletes older entries, one batch per call so that no statement takes long. Returns whether there may be more.
    pub async fn prune_audit(&self, before: Timestamp) -> Result<bool, Error> {
        const PART: i64 = 10_000;
        self.retryable("prune_audit", || async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                DELETE FROM sophra_api_keys.audit
                WHERE id IN (SELECT id FROM sophra_api_keys.audit WHERE at < $1 ORDER BY at LIMIT $2)
                "#,
                before as _,
                PART,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(i64::try_from(done.rows_affected()).is_ok_and(|deleted| deleted == PART))
        })
        .await
    }
}
