//! Reads clients.

use crate::error::Error;
use crate::model::{Client, ClientQuery, Cursor, Page};
use crate::service::Service;

pub async fn get(service: &Service, client_id: &str) -> Result<Option<Client>, Error> {
    service.store.get_client(client_id).await
}

/// Returns a page of clients, newest first.
pub async fn list(service: &Service, query: &ClientQuery) -> Result<Page<Client>, Error> {
    let clients = service.store.list_clients(query).await?;
    Ok(Page::of(clients, query.limit, |client| {
        Cursor {
            at: client.created_at,
            id: client.client_id.clone(),
        }
        .encode()
    }))
}
