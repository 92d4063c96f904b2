//! The list of clients.

use super::clients::client_rows;
use super::connection::Share;
use super::handle::Store;
use crate::error::Error;
use crate::model::{
    Client, ClientQuery, Cursor, Limits, Metadata, Quotas, Timestamp, contains_pattern,
};

impl Store {
    /// Clients, newest first. One row more than the limit shows that there is a next page.
    pub async fn list_clients(&self, query: &ClientQuery) -> Result<Vec<Client>, Error> {
        let pattern = query.search.as_deref().map(contains_pattern);
        let (before, before_id) = Cursor::parts(query.cursor.as_ref());
        self.retryable_when_admitted(Share::Manage, "list_clients", || async {
            let mut db = self.db().await?;
            let rows = client_rows!(
                "SELECT",
                r#"
                FROM sophra_api_keys.clients AS client
                WHERE ($1::timestamp IS NULL OR (client.created_at, client.client_id) < ($1, $2))
                  AND ($3::text IS NULL
                    OR sophra_api_keys.folded(coalesce(client.name, '') || E'\n' || client.client_id)
                      LIKE sophra_api_keys.folded($3))
                ORDER BY client.created_at DESC, client.client_id DESC
                LIMIT $4
                "#,
                before as _,
                before_id,
                pattern,
                i64::from(query.limit) + 1,
            )
            .fetch_all(&mut db)
            .await?;
            Ok(rows)
        })
        .await
    }
}
