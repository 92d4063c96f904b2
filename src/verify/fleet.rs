//! What other processes have used of a rate limit, read with the row of the key.

use std::time::Duration;

use super::decide::rule;
use crate::cached_key::CachedKey;
use crate::error::Error;
use crate::model::FleetTotal;
use crate::rate_limit::FleetUse;
use crate::service::Service;

/// A key that is read for the first time, or after all of its limit was available again, begins where the other
/// processes are.
pub(super) fn begin_where_others_are(
    service: &Service,
    key: &CachedKey,
    fleet: &FleetTotal,
    changed_ago_ns: i64,
) {
    if let Some(rule) = rule(service, &key.policy) {
        let changed_ago = Duration::from_nanos(number(changed_ago_ns));
        key.limiter(&service.limiters, rule)
            .join(fleet_use(fleet), changed_ago);
    }
}

/// Asks what the other processes have used, before somebody peeks at a limit that this one has not used: no flush follows
/// it. While the database is away, each process counts alone.
pub(super) async fn ask_the_others(service: &Service, key: &CachedKey) -> Result<(), Error> {
    let Some(rule) = rule(service, &key.policy) else {
        return Ok(());
    };
    let limiter = key.limiter(&service.limiters, rule);
    let is_used = limiter.unfollow_if_unused();
    if is_used {
        return Ok(());
    }
    match service.store.peek_at_fleet_total(&key.limit_id()).await {
        Ok(Some(fleet)) => limiter.join(fleet_use(&fleet), Duration::ZERO),
        Ok(None) | Err(Error::DatabaseUnavailable { .. } | Error::Overloaded { .. }) => {}
        Err(error) => return Err(error),
    }
    Ok(())
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
