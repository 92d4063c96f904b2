//! Reads what is used of a quota.

use super::input::GetQuota;
use super::lease::report;
use crate::error::Error;
use crate::model::QuotaState;
use crate::service::Service;

pub async fn get(service: &Service, get: GetQuota) -> Result<QuotaState, Error> {
    let GetQuota(quota) = get;
    if let Some(lease) = service.leases.find(&quota.id) {
        // What this process has spent counts at once.
        report(service, &lease).await?;
    }
    let state = service.store.quota_state(&quota).await?;
    state.ok_or(Error::NotFound("Quota"))
}
