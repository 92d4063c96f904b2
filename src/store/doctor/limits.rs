//! The limits that `doctor` reports.

use futures_util::TryStreamExt;
use sqlx::FromRow;

use super::rows::UnreadableRows;
use crate::error::Error;
use crate::model::{AllowList, Limits, Quotas};
use crate::store::Store;

impl Store {
    /// Keys whose limits or quotas cannot be read.
    pub async fn unreadable_limits(&self) -> Result<UnreadableRows, Error> {
        self.retryable("unreadable_limits", || async {
            let mut db = self.db().await?;
            let query = sqlx::query!(
                r#"
                SELECT "id", coalesce("limits", '[]') AS "limits!: Limits", coalesce("quotas", '[]') AS "quotas!: Quotas"
                FROM "ApiKey"
                WHERE "limits" IS NOT NULL OR "quotas" IS NOT NULL
                "#
            );
            let mut rows = db.row_stream(query)?;
            let mut found = UnreadableRows::default();
            while let Some(row) = rows.try_next().await? {
                let (id, limits, quotas): (String, Limits, Quotas) = FromRow::from_row(&row)?;
                if limits.of_key().are_unreadable() || quotas.are_unreadable() {
                    found.add(id);
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
            let query = sqlx::query!(
                r#"
                SELECT client_id, limits AS "limits: Limits", quotas AS "quotas: Quotas",
                  ARRAY(SELECT coalesce(entry, '') FROM unnest(allowed_ips) AS entry) AS "entries!"
                FROM sophra_api_keys.clients
                WHERE limits <> '[]' OR quotas <> '[]' OR cardinality(allowed_ips) > 0
                "#
            );
            let mut rows = db.row_stream(query)?;
            let mut found = UnreadableRows::default();
            while let Some(row) = rows.try_next().await? {
                let (client_id, limits, quotas, entries): (String, Limits, Quotas, Vec<String>) =
                    FromRow::from_row(&row)?;
                let has_no_list = AllowList::parse(&entries) == AllowList::Nobody;
                if has_no_list || limits.are_unreadable() || quotas.are_unreadable() {
                    found.add(client_id);
                }
            }
            Ok(found)
        })
        .await
    }
}
