//! Reads keys.

use crate::error::Error;
use crate::model::{ApiKey, KeyCursor, KeyQuery};
use crate::service::Service;

/// The ids of the keys of a query, and the cursor of the next page if there is one.
#[derive(Debug)]
pub struct FoundKeys {
    pub ids: Vec<String>,
    pub next: Option<KeyCursor>,
}

pub async fn get(service: &Service, id: &str) -> Result<Option<ApiKey>, Error> {
    service.store.get_key(id).await
}

/// Finds the first keys of a query, at most so many.
pub async fn find(service: &Service, query: &KeyQuery, most: i32) -> Result<FoundKeys, Error> {
    // One more shows that there is a next page.
    let mut places = service
        .store
        .find_keys(query, most.saturating_add(1))
        .await?;
    let limit = usize::try_from(most).unwrap_or(0);
    let has_more = places.len() > limit;
    places.truncate(limit);
    let end = places.last().filter(|_| has_more).cloned();
    Ok(FoundKeys {
        next: end.map(|place| KeyCursor {
            order: query.order,
            place,
        }),
        ids: places.into_iter().map(|place| place.id).collect(),
    })
}

/// The keys with these ids, in their order. Those that do not exist any more are left out.
pub async fn read(service: &Service, ids: &[String]) -> Result<Vec<ApiKey>, Error> {
    service.store.read_keys(ids).await
}
