//! What other processes have used of a rate limit, read with the row of the key.

use std::time::Duration;

use super::context::VerifyContext;
use super::lease::ask_for_quotas;
use crate::cached_key::CachedKey;
use crate::cached_limits::LimitOfKey;
use crate::error::Error;
use crate::model::FleetTotal;
use crate::rate_limit::FleetUse;
use crate::service::Service;
use crate::store::FleetStart;

/// Limits that are read for the first time, or after all of them was available again, begin where the other processes are.
pub(super) fn begin_where_others_are<'a>(
    service: &Service,
    limits: impl Iterator<Item = LimitOfKey<'a>>,
    fleet: &[FleetStart],
) {
    if fleet.is_empty() {
        return;
    }
    for limit in limits {
        let id = limit.owner.limit(&limit.limit.name);
        if let Some(start) = fleet.iter().find(|start| start.total.limit_id == id) {
            let changed_ago = Duration::from_nanos(number(start.changed_ago_ns));
            let limiter = limit.limiter(&service.limiters);
            // By the rule as it is now.
            limiter.state(limit.limit.rule);
            limiter.join(fleet_use(&start.total), changed_ago);
        }
    }
}

/// Asks what the other processes have used, before somebody peeks at quotas, or at limits that this one has not used: no flush
/// follows it. While the database is away, each process counts alone.
pub(super) async fn ask_the_others(
    service: &Service,
    key: &CachedKey,
    context: &VerifyContext<'_>,
) -> Result<(), Error> {
    let (limits, quotas) = tokio::join!(
        ask_for_limits(service, key),
        ask_for_quotas(service, key, context)
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

/// Notes that the rows of these limits were read, and have not changed since.
pub(super) fn note_read<'a>(service: &Service, limits: impl Iterator<Item = LimitOfKey<'a>>) {
    for limit in limits {
        let id = limit.owner.limit(&limit.limit.name);
        service.limiters.note_read(&id, limit.limit.rule);
    }
}

/// A fleet total in the terms of the limiter.
#[must_use]
pub fn fleet_use(total: &FleetTotal) -> FleetUse {
    FleetUse {
        generation: total.generation,
        total: number(total.total),
        debt_ns: number(total.debt_ns),
        interval_ns: number(total.interval_ns),
    }
}

fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
