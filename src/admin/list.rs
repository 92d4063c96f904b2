//! Lists admin tokens.

use crate::error::Error;
use crate::model::{AdminToken, Page, Timestamp, TokenQuery};
use crate::service::Service;

pub async fn list(
    service: &Service,
    mut query: TokenQuery,
    now: Timestamp,
) -> Result<Page<AdminToken>, Error> {
    let limit = query.limit;
    // One more shows that there is a next page.
    query.limit = limit.saturating_add(1);
    let tokens = service.store.list_admin_tokens(&query, now).await?;
    // Behind a row that is gone, the rest of the list would look like none.
    if tokens.is_empty()
        && let Some(id) = &query.after
    {
        find(service, id, now).await?;
    }
    Ok(Page::of(tokens, limit, |token| token.id.clone()))
}

pub(super) async fn find(service: &Service, id: &str, now: Timestamp) -> Result<AdminToken, Error> {
    let query = TokenQuery {
        limit: 1,
        id: Some(id.to_owned()),
        ..TokenQuery::default()
    };
    let found = service.store.list_admin_tokens(&query, now).await?;
    let first = found.into_iter().next();
    first.ok_or(Error::NotFound("Admin token"))
}
