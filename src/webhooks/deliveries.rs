//! What was delivered to webhooks, and what is still to be.

use serde::Serialize;
use serde_json::Value;

use crate::error::Error;
use crate::model::{DeliveryQuery, Page};
use crate::service::Service;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryPage {
    deliveries: Vec<Value>,
    next_cursor: Option<String>,
}

/// Returns a page of deliveries, newest first.
pub async fn list_deliveries(
    service: &Service,
    query: &DeliveryQuery,
) -> Result<DeliveryPage, Error> {
    // One more shows that there is a next page.
    let one_more = query.limit.saturating_add(1);
    let rows = service.store.list_deliveries(query, one_more).await?;
    let page = Page::of(rows, query.limit, |row| {
        row["id"].as_str().unwrap_or_default().to_owned()
    });
    Ok(DeliveryPage {
        deliveries: page.rows,
        next_cursor: page.next,
    })
}

/// Delivers a notice once more, whatever became of it before.
pub async fn redeliver(service: &Service, id: Option<i64>) -> Result<(), Error> {
    let exists = match id {
        Some(id) => service.store.redeliver(id).await?,
        None => false,
    };
    if !exists {
        return Err(Error::NotFound("Delivery"));
    }
    service.deliverer.wake();
    Ok(())
}
