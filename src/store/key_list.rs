//! The list of keys.

use super::connection::Share;
use super::handle::Store;
use super::keys::key_rows;
use super::pattern::contains_pattern;
use crate::error::Error;
use crate::model::{ApiKey, Cursor, KeyQuery, Limits, Metadata, Quotas, Timestamp};

impl Store {
    /// Keys, newest first. One row more than the limit shows that there is a next page.
    pub async fn list_keys(&self, query: &KeyQuery) -> Result<Vec<ApiKey>, Error> {
        let pattern = query.search.as_deref().map(contains_pattern);
        let (before, before_id) = Cursor::parts(query.cursor.as_ref());
        self.retryable_when_admitted(Share::Manage, "list_keys", || async {
            let mut db = self.db().await?;
            let rows = key_rows!(
                "SELECT",
                r#"
                FROM "ApiKey"
                WHERE ($1::timestamp IS NULL OR ("createdAt", "id") < ($1, $2))
                  AND ($3::text IS NULL OR "clientId" = $3)
                  AND ($4::boolean IS NULL OR coalesce("isActive", false) = $4)
                  AND ($5::text IS NULL OR "createdBy" = $5)
                  AND ($6::text IS NULL
                    OR sophra_api_keys.folded(coalesce("name", '') || E'\n' || coalesce("description", ''))
                      LIKE sophra_api_keys.folded($6))
                ORDER BY "createdAt" DESC, "id" DESC
                LIMIT $7
                "#,
                before as _,
                before_id,
                query.client_id,
                query.is_active,
                query.created_by,
                pattern,
                i64::from(query.limit) + 1,
            )
            .fetch_all(&mut db)
            .await?;
            Ok(rows)
        })
        .await
    }

    /// The last of this many keys in the order of [`list_keys`](Self::list_keys), with its filters; `None` if none comes
    /// after it.
    pub async fn end_of_keys(&self, query: &KeyQuery, count: u32) -> Result<Option<Cursor>, Error> {
        let pattern = query.search.as_deref().map(contains_pattern);
        let (before, before_id) = Cursor::parts(query.cursor.as_ref());
        self.retryable_when_admitted(Share::Manage, "end_of_keys", || async {
            let mut rows = sqlx::query_as!(
                Cursor,
                r#"
                SELECT "createdAt" AS "at!: Timestamp", "id"
                FROM "ApiKey"
                WHERE ($1::timestamp IS NULL OR ("createdAt", "id") < ($1, $2))
                  AND ($3::text IS NULL OR "clientId" = $3)
                  AND ($4::boolean IS NULL OR coalesce("isActive", false) = $4)
                  AND ($5::text IS NULL OR "createdBy" = $5)
                  AND ($6::text IS NULL
                    OR sophra_api_keys.folded(coalesce("name", '') || E'\n' || coalesce("description", ''))
                      LIKE sophra_api_keys.folded($6))
                ORDER BY "createdAt" DESC, "id" DESC
                OFFSET $7
                LIMIT 2
                "#,
                before as _,
                before_id,
                query.client_id,
                query.is_active,
                query.created_by,
                pattern,
                i64::from(count) - 1,
            )
            .fetch_all(&mut self.db().await?)
            .await?;
            Ok((rows.len() == 2).then(|| rows.swap_remove(0)))
        })
        .await
    }
}
