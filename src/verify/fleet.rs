//! What other processes have used of a rate limit, read with the row of the key.

use std::time::Duration;

use crate::cached_limits::LimitOfKey;
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
