//! Lists admin tokens.

use crate::error::Error;
use crate::model::AdminToken;
use crate::service::Service;

pub async fn list(service: &Service) -> Result<Vec<AdminToken>, Error> {
    service.store.list_admin_tokens().await
}
