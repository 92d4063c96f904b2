//! Reads a client and those above it.

use super::client_rows::{ClientLevel, ClientRows, client_levels};
use super::connection::Share;
use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;

impl Store {
    /// A client and those above it, the client first. Empty if the client has no row.
    pub async fn client_levels(&self, client_id: &str) -> Result<Vec<ClientLevel>, Error> {
        let read = self.retryable_when_admitted(Share::Lookup, "client_levels", || async {
            let rows = sqlx::query_scalar!(
                r#"SELECT sophra_api_keys.client_levels($1) AS "levels: ClientRows""#,
                client_id,
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)?;
            Ok(client_levels(rows))
        });
        read.await?
    }
}
