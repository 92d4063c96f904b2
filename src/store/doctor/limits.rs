//! The limits that `doctor` reports.

use futures_util::TryStreamExt;

use super::rows::UnreadableRows;
use crate::error::Error;
use crate::model::{AllowList, Limits};
use crate::store::Store;

impl Store {
    /// Keys whose limits cannot be read.
    pub async fn unreadable_limits(&self) -> Result<UnreadableRows, Error> {
        self.retryable("unreadable_limits", || async {
            let mut db = self.db().await?;
            let mut rows = sqlx::query!(
                r#"SELECT "id", "limits" AS "limits!: Limits" FROM "ApiKey" WHERE "limits" IS NOT NULL"#
            )
            .fetch(&mut db);
            let mut found = UnreadableRows::default();
            while let Some(row) = rows.try_next().await? {
                if row.limits.of_key().are_unreadable() {
                    found.add(row.id);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Clients whose limits or allow-list cannot be read.
    pub async fn unreadable_clients(&self) -> Result<UnreadableRows, Error> {
        self.retryable("unreadable_clients", || async {
            let mut db = self.db().await?;
            let mut rows = sqlx::query!(
                r#"
                SELECT client_id, limits AS "limits: Limits",
                  ARRAY(SELECT coalesce(entry, '') FROM unnest(allowed_ips) AS entry) AS "entries!"
                FROM sophra_api_keys.clients
                WHERE limits <> '[]' OR cardinality(allowed_ips) > 0
                "#
            )
            .fetch(&mut db);
            let mut found = UnreadableRows::default();
            while let Some(row) = rows.try_next().await? {
                let has_no_list = AllowList::parse(&row.entries) == AllowList::Nobody;
                if has_no_list || row.limits.are_unreadable() {
                    found.add(row.client_id);
                }
            }
            Ok(found)
        })
        .await
    }
}
