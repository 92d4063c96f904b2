//! Tells the other processes what this one has used of limits, and learns what they have.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::model::{CostBatch, FleetShare, FleetTotal, LimitCost, LimitId};
use crate::rate_limit::{Limiter, Share};
use crate::service::Service;
use crate::store::ToldTotal;
use crate::usage::FlushTurn;
use crate::verify::fleet_use;

/// Learns which limits others have begun to use, and now and then how many others there are. While this is unknown, the process
/// is alone with none.
pub(super) async fn learn_of_others(service: &Service) -> Result<(), Error> {
    let counts = service.usage.tempo().begin_count(Instant::now());
    let asked_at = service.limiters.ask_whether_alone();
    if asked_at.is_none() && !counts {
        return Ok(());
    }
    let learned = read_others(service, counts).await;
    match (&learned, asked_at) {
        (Ok(()), Some(asked_at)) => service.limiters.known_alone(asked_at),
        (Ok(()), None) => {}
        (Err(_), _) => service.limiters.end_alone_all(),
    }
    learned
}

async fn read_others(service: &Service, mut counts: bool) -> Result<(), Error> {
    /// Entries per statement, so that none takes too long, however many there are.
    const PART: u16 = 10_000;
    let usage = &service.usage;
    loop {
        let read = usage.entries_read.lock().clone();
        let others = service
            .store
            .read_others(&usage.process, &read, PART, counts)
            .await?;
        let limits: Vec<LimitId> = others.limit_ids.into_iter().map(LimitId::from).collect();
        service.limiters.end_alone(&limits);
        *usage.entries_read.lock() = others.ids;
        if let Some(processes) = others.processes {
            usage.tempo().counted(processes);
        }
        if limits.len() < PART.into() {
            return Ok(());
        }
        counts = false;
    }
}

/// Stores the costs of limits, and notes the limits whose fleet totals were read along with them.
pub(super) async fn store_costs(
    service: &Service,
    turn: &FlushTurn<'_>,
    learned: &mut HashSet<LimitId>,
) -> Result<(), Error> {
    while let Some(batch) = turn.next_costs() {
        match share_costs(service, &batch).await {
            Ok(limits) => {
                learned.extend(limits);
                turn.costs_stored();
            }
            Err(error) if error.is_rejection() => {
                if turn.costs_rejected().is_some() {
                    // Reported once: whatever the limit, the fault is the same.
                    service.report(&error, Some(BackgroundTask::Flush));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Adds the costs of a batch to the fleet totals, and learns these. Returns the limits whose totals are known now.
async fn share_costs(service: &Service, batch: &CostBatch) -> Result<Vec<LimitId>, Error> {
    let shares: Vec<_> = batch
        .costs
        .iter()
        .map(|(limit_id, cost)| share_of(service, limit_id, *cost))
        .collect();
    let process = &service.usage.process;
    let totals = service
        .store
        .add_spent(process, batch.number, &shares, alone_after_ms(service))
        .await?;
    for ToldTotal { total, is_alone } in &totals {
        let place = shares.binary_search_by(|share| share.limit_id.cmp(&total.limit_id));
        let own = place.ok().map(|place| &shares[place]);
        let own = own.filter(|share| share.generation == total.generation);
        if let Some(limiter) = reconcile(service, total, own.map_or(0, |share| share.cost)) {
            service.limiters.note_told(&limiter, *is_alone);
        }
    }
    Ok(totals.into_iter().map(|told| told.total.limit_id).collect())
}

/// How long no other process must have told any use of a limit until this one is alone with it again: long enough for those that
/// use it now and then.
fn alone_after_ms(service: &Service) -> i64 {
    let intervals = 10 * service.config.flush_interval.as_millis();
    i64::try_from(intervals).unwrap_or(i64::MAX).max(10_000)
}

fn share_of(service: &Service, limit_id: &LimitId, cost: LimitCost) -> FleetShare {
    let LimitCost { cost, generation } = cost;
    let share = match service.limiters.find(limit_id) {
        Some(limiter) => limiter.share(number(cost)),
        // The limiter was dropped, so it was full again.
        None => Share::AVAILABLE,
    };
    let nanos = |nanos| i64::try_from(nanos).unwrap_or(i64::MAX);
    FleetShare {
        limit_id: limit_id.clone(),
        generation,
        cost,
        debt_ns: nanos(share.debt_ns),
        interval_ns: nanos(share.interval_ns),
        longest_ns: nanos(share.longest_ns),
    }
}

/// Reads the fleet totals of the limits that were used in this process earlier but not in this flush.
pub(super) async fn learn_fleet_totals(
    service: &Service,
    learned: &HashSet<LimitId>,
) -> Result<(), Error> {
    /// Limits per statement, so that none takes too long, however many are in use.
    const PART: usize = 1_000;
    let used = service.limiters.sweep().into_iter();
    let unseen: Vec<LimitId> = used
        .filter(|limit_id| !learned.contains(limit_id))
        .collect();
    for part in unseen.chunks(PART) {
        for total in service.store.read_fleet_totals(part).await? {
            reconcile(service, &total, 0);
        }
    }
    Ok(())
}

fn reconcile(service: &Service, total: &FleetTotal, own: i64) -> Option<Arc<Limiter>> {
    let limiter = service.limiters.find(&total.limit_id)?;
    limiter.reconcile(fleet_use(total), number(own));
    Some(limiter)
}

fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
