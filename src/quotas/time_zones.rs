//! Checks the time zones of quotas: which there are, the database knows, whose calendar holds.

use crate::error::{Error, Issue};
use crate::model::{FieldChange, Quotas, UTC};
use crate::service::Service;

/// What is wrong with a name that the database does not know.
pub const UNKNOWN_TIME_ZONE: &str =
    "must be UTC or a time zone with an area that the database knows, such as Europe/Berlin";

/// Fails for quotas in time zones that the database does not know. Most quotas are in UTC, for which it is not asked.
pub async fn require_time_zones(
    service: &Service,
    quotas: &FieldChange<Quotas>,
) -> Result<(), Error> {
    let FieldChange::Set(Quotas::Readable(quotas)) = quotas else {
        return Ok(());
    };
    let zones = quotas.iter().map(|quota| &quota.time_zone);
    let zones: Vec<String> = zones.filter(|zone| *zone != UTC).cloned().collect();
    if zones.is_empty() {
        return Ok(());
    }
    let unknown = service.store.unknown_time_zones(&zones).await?;
    let quotas = quotas.iter().enumerate();
    let issues: Vec<Issue> = quotas
        .filter(|(_, quota)| unknown.contains(&quota.time_zone))
        .map(|(index, _)| Issue {
            path: format!("quotas[{index}].timeZone"),
            message: UNKNOWN_TIME_ZONE.to_owned(),
        })
        .collect();
    Error::of_issues(issues)
}
