//! Reads keys.

use crate::error::Error;
use crate::model::{ApiKey, Cursor, KeyQuery, Page};
use crate::service::Service;

pub async fn get(service: &Service, id: &str) -> Result<Option<ApiKey>, Error> {
    service.store.get_key(id).await
}

/// Where this many keys of the query end; `None` if there are no more of them.
pub async fn end(service: &Service, query: &KeyQuery, count: u32) -> Result<Option<Cursor>, Error> {
    service.store.end_of_keys(query, count).await
}

/// Returns a page of keys, newest first.
pub async fn list(service: &Service, query: &KeyQuery) -> Result<Page<ApiKey>, Error> {
    let keys = service.store.list_keys(query).await?;
    Ok(Page::of(keys, query.limit, |key| Cursor {
        at: key.created_at,
        id: key.id.clone(),
    }))
}
