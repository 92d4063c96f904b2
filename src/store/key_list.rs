//! Lists of keys: which ones, then their rows.

use sqlx::types::Json;

use super::connection::Share;
use super::handle::Store;
use super::keys::key_rows;
use crate::error::Error;
use crate::model::{ApiKey, KeyPlace, KeyQuery, Limits, Metadata, Quotas, Timestamp};

impl Store {
    /// The first keys of the query, in its order.
    pub async fn find_keys(&self, query: &KeyQuery, most: i32) -> Result<Vec<KeyPlace>, Error> {
        let (id, value) = query
            .after
            .as_ref()
            .map(|after| (&after.id, &after.value))
            .unzip();
        let value = value.and_then(Option::as_deref);
        self.retryable_when_admitted(Share::Manage, "find_keys", || async {
            let query = sqlx::query!(
                r#"
                SELECT key_id AS "id!", value FROM sophra_api_keys.find_keys($1::jsonb, $2, $3, $4, $5, $6)
                "#,
                Json(&query.filter) as _,
                query.order.sort.name(),
                query.order.descending,
                id,
                value,
                most,
            );
            let rows = self.db().await?.rows(query).await?;
            let place = |(id, value)| KeyPlace { id, value };
            Ok(rows.into_iter().map(place).collect())
        })
        .await
    }

    pub async fn get_key(&self, id: &str) -> Result<Option<ApiKey>, Error> {
        let mut keys = self.read_keys(&[id.to_owned()]).await?;
        Ok(keys.pop())
    }

    /// The keys with these ids, in their order. Those that do not exist are left out.
    pub async fn read_keys(&self, ids: &[String]) -> Result<Vec<ApiKey>, Error> {
        self.retryable_when_admitted(Share::Manage, "read_keys", || async {
            let mut db = self.db().await?;
            let rows = key_rows!(
                "SELECT",
                r#"
                FROM unnest($1::text[]) WITH ORDINALITY AS listed (listed_id, place)
                JOIN "ApiKey" ON "id" = listed_id
                ORDER BY place
                "#,
                ids,
            )
            .fetch_all(&mut db)
            .await?;
            Ok(rows)
        })
        .await
    }
}
