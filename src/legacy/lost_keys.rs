//! Reports keys that nobody can use, because another writer has stored a hash without its lookup.

use std::sync::Arc;

use crate::error::Error;
use crate::service::Service;

/// Reports each such row once.
pub async fn report_lost_keys(service: &Service) -> Result<(), Error> {
    for key in service.store.lost_keys().await? {
        service.report_unreadable(&Arc::from(key.id), &key.name, &key.client_id);
    }
    Ok(())
}
