//! Asks what the others have used, before somebody peeks.

use std::time::Duration;

use super::context::VerifyContext;
use super::fleet::fleet_use;
use super::lease::wait_for_answers;
use crate::cached_key::CachedKey;
use crate::cached_limits::LimitOfKey;
use crate::error::Error;
use crate::service::Service;

/// Asks what the other processes have used, before somebody peeks at quotas, or at limits that this one has not used: no flush
/// follows it. While the database is away, each process counts alone.
pub(super) async fn ask_the_others(
    service: &Service,
    key: &CachedKey,
    context: &VerifyContext<'_>,
) -> Result<(), Error> {
    let (limits, quotas) = tokio::join!(
        ask_for_limits(service, key),
        wait_for_answers(service, key, context, |_, _| true)
    );
    unless_away(limits).and(unless_away(quotas))
}

fn unless_away(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::DatabaseUnavailable { .. } | Error::Overloaded { .. }) => Ok(()),
        result => result,
    }
}

async fn ask_for_limits(service: &Service, key: &CachedKey) -> Result<(), Error> {
    let is_unused = |limit: &LimitOfKey<'_>| !limit.limiter(&service.limiters).unfollow_if_unused();
    let unused: Vec<_> = key.limits().filter(is_unused).collect();
    if unused.is_empty() {
        return Ok(());
    }
    let ids = unused.iter();
    let ids: Vec<_> = ids
        .map(|limit| limit.owner.limit(&limit.limit.name))
        .collect();
    let totals = service.store.peek_at_fleet_totals(&ids).await?;
    for (limit, id) in unused.iter().zip(&ids) {
        if let Some(total) = totals.iter().find(|total| total.limit_id == *id) {
            let limiter = limit.limiter(&service.limiters);
            limiter.join(fleet_use(total), Duration::ZERO);
        }
    }
    Ok(())
}
