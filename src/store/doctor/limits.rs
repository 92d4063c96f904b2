//! The limits that `doctor` reports.

use futures_util::TryStreamExt;

use super::rows::UnreadableRows;
use crate::error::Error;
use crate::model::{AllowList, Limits, Quotas};
use crate::store::Store;

impl Store {
    /// Keys whose limits or quotas cannot be read.
    pub async fn unreadable_limits(&self) -> Result<UnreadableRows, Error> {
        self.retryable("unreadable_limits", || async {
            let mut db = self.db().await?;
            let mut rows = sqlx::query!(
                r#"
                SELECT "id", coalesce("limits", '[]') AS "limits!: Limits", coalesce("quotas", '[]') AS "quotas!: Quotas"
                FROM "ApiKey"
                WHERE "limits" IS NOT NULL OR "quotas" IS NOT NULL
                "#
            )
            .fetch(&mut db);
            let mut found = UnreadableRows::default();
            while let Some(row) = rows.try_next().await? {
                if row.limits.of_key().are_unreadable() || row.quotas.are_unreadable() {
                    found.add(row.id);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Clients whose limits, quotas or allow-list cannot be read.
    pub async fn unreadable_clients(&self) -> Result<UnreadableRows, Error> {
        self.retryable("unreadable_clients", || async {
            let mut db = self.db().await?;
            let mut rows = sqlx::query!(
                r#"
                SELECT client_id, limits AS "limits: Limits", quotas AS "quotas: Quotas",
                  ARRAY(SELECT coalesce(entry, '') FROM unnest(allowed_ips) AS entry) AS "entries!"
                FROM sophra_api_keys.clients
                WHERE limits <> '[]' OR quotas <> '[]' OR cardinality(allowed_ips) > 0
                "#
            )
            .fetch(&mut db);
            let mut found = UnreadableRows::default();
            while let Some(row) = rows.try_next().await? {
                let has_no_list = AllowList::parse(&row.entries) == AllowList::Nobody;
                let is_unreadable = row.limits.are_unreadable() || row.quotas.are_unreadable();
                if has_no_list || is_unreadable {
                    found.add(row.client_id);
                }
            }
            Ok(found)
        })
        .await
    }
}
