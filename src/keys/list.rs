//! Reads keys.

use crate::error::Error;
use crate::model::{ApiKey, KeyCursor, KeyQuery, Page};
use crate::service::Service;

pub async fn get(service: &Service, id: &str) -> Result<Option<ApiKey>, Error> {
    service.store.get_key(id).await
}

/// Returns a page of keys.
pub async fn list(service: &Service, query: &KeyQuery) -> Result<Page<ApiKey>, Error> {
    let found = find(service, query, query.limit).await?;
    Ok(Page {
        rows: read(service, &found.rows).await?,
        next: found.next,
    })
}

/// The ids of the first keys of a query, at most so many.
pub async fn find(service: &Service, query: &KeyQuery, most: i32) -> Result<Page<String>, Error> {
    // One more shows that there is a next page.
    let one_more = most.saturating_add(1);
    let places = service.store.find_keys(query, one_more).await?;
    let page = Page::of(places, most, |place| KeyCursor::encode(query.order, place));
    Ok(page.map(|place| place.id))
}

/// The keys with these ids, in their order. Those that do not exist any more are left out.
pub async fn read(service: &Service, ids: &[String]) -> Result<Vec<ApiKey>, Error> {
    service.store.read_keys(ids).await
}
