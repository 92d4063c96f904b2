//! Flushes once per interval: stores what this process counted, and reads how much of the rate limits other processes
//! used.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::audit_log;
use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::model::{CostBatch, FleetShare, FleetTotal, LimitCost, LimitId, Timestamp};
use crate::quotas;
use crate::rate_limit::Share;
use crate::service::Service;
use crate::store::{LockedRows, Parts};
use crate::unwritable_keys::Unstored;
use crate::verify::{fleet_use, store_suspensions};

const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// Flushes until the service is closed. Suspensions are stored at once, without waiting for the interval.
pub(super) async fn run(service: Arc<Service>) {
    let service = &*service;
    let interval = service.config.flush_interval;
    let mut next = Instant::now() + interval;
    // The first flush prunes too, since not every process lives for long.
    let mut prune_at = Instant::now();
    loop {
        let is_urgent = timeout_at(next, service.urgent.notified()).await.is_ok();
        if is_urgent {
            let stored = store_suspensions(service);
            service.run_round(BackgroundTask::Suspensions, stored).await;
        }
        // However many suspensions there are, they do not put off the flush.
        if Instant::now() < next {
            continue;
        }
        // After an error everything is kept, and the next interval tries again.
        service
            .run_round(
                BackgroundTask::Flush,
                Box::pin(flush(service, Leases::Kept)),
            )
            .await;
        let now = service.now();
        let swept = service.unconfirmed_keys.sweep(&service.store, now);
        service
            .run_round(BackgroundTask::UnconfirmedKeys, swept)
            .await;
        if prune_at <= Instant::now() {
            service
                .run_round(BackgroundTask::Pruning, prune(service, now))
                .await;
            prune_at = Instant::now() + PRUNE_INTERVAL;
        }
        next = Instant::now() + interval;
    }
}

/// Deletes what is beyond its retention. A failure of one does not prevent the others.
async fn prune(service: &Service, now: Timestamp) -> Result<(), Error> {
    let usage = service.store.prune_usage().await;
    let quotas = service.store.prune_quotas().await;
    for error in [&usage, &quotas]
        .into_iter()
        .filter_map(|done| done.as_ref().err())
    {
        service.report(error, Some(BackgroundTask::Pruning));
    }
    let idempotency_keys = service.store.prune_idempotency_keys().await;
    audit_log::prune(service, now)
        .await
        .and(usage)
        .and(quotas)
        .and(idempotency_keys)
}

/// What a flush does with units of quotas that this process has leased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leases {
    /// It tells what was spent, and gives back what nobody uses.
    Kept,
    /// It gives back all that is not spent.
    Returned,
}

/// Stores everything that was counted before the call. After an error the counts are kept.
pub async fn flush(service: &Service, leases: Leases) -> Result<(), Error> {
    let begun = Instant::now();
    let result = store_all(service, leases).await;
    service.metrics.flushes.observe(begun.elapsed());
    service.note_flush(result.is_err());
    if result.is_err() {
        service.metrics.flush_failures.add(1);
    }
    result
}

async fn store_all(service: &Service, leases: Leases) -> Result<(), Error> {
    // Concurrently, so that a wait in one does not delay the others.
    let mut learned = HashSet::new();
    let (suspended, touched, stored, reported) = tokio::join!(
        store_suspensions(service),
        touch_admin_tokens(service),
        store_usage(service, &mut learned),
        report_leases(service, leases),
    );
    // Whatever became of the usage: limits that others have used up must be known.
    let learned = learn_fleet_totals(service, &learned).await;
    // The audit log comes last, since the others add entries to it.
    let written = audit_log::write(service).await;
    let results = [suspended, touched, stored, reported, learned, written];
    // Each is reported, since only the first error is returned.
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        service.report(error, Some(BackgroundTask::Flush));
    }
    results.into_iter().collect()
}

async fn report_leases(service: &Service, leases: Leases) -> Result<(), Error> {
    match leases {
        Leases::Kept => quotas::report_due(service).await,
        Leases::Returned => quotas::return_all(service).await,
    }
}

/// Stores the last uses of admin tokens. They are times, not counts, so one whose row cannot be written is dropped.
async fn touch_admin_tokens(service: &Service) -> Result<(), Error> {
    let _turn = service.usage.admin_turn().await;
    let used: Vec<_> = service.usage.take_admin_tokens().into_iter().collect();
    let mut parts = Parts::of(&used);
    while let Some(part) = parts.next_part() {
        let (ids, at): (Vec<_>, Vec<_>) = part.iter().cloned().unzip();
        match service.store.touch_admin_tokens(&ids, &at).await {
            Ok(()) => parts.stored(),
            Err(error) => parts.failed(part, error)?,
        }
    }
    for (_, error) in parts.rejected(|_| false)? {
        service.report(&error, Some(BackgroundTask::Flush));
    }
    Ok(())
}

/// Rejections after which a flush leaves the rest to the next one, so that it ends.
const REJECTIONS_MAX: usize = 100;

/// Stores the usage of keys and limits. Notes the limits whose fleet totals were read along with it. Costs come before uses,
/// so that processes share limits even where rows of keys cannot be written.
async fn store_usage(service: &Service, learned: &mut HashSet<LimitId>) -> Result<(), Error> {
    let keys = &service.unwritable_keys;
    let now = Instant::now().into_std();
    let is_due = |key_id: &str| !keys.waits(Unstored::Usage, key_id, now);
    let take_costs = || service.limiters.take_unshared();
    let turn = service.usage.begin_flush(take_costs, is_due).await;
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
    let mut rejected = RejectedUsage::default();
    let mut locked_rows = LockedRows::default();
    while let Some(batch) = turn.next_uses() {
        let process = &service.usage.process;
        match service.store.add_usage(process, &batch).await {
            Ok(skipped) => {
                rejected.others_stored(service);
                turn.uses_stored(&skipped.iter().cloned().collect());
                if !skipped.is_empty() && !locked_rows.wait().await {
                    return Err(Error::unavailable(
                        "Rows of used keys are locked in the database: their usage is kept and stored later",
                    ));
                }
            }
            Err(error) if error.is_rejection() => {
                rejected.add(service, turn.uses_rejected(), &error);
                if rejected.count > REJECTIONS_MAX {
                    if turn.is_trying_again() {
                        break;
                    }
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    keys.retain(Unstored::Usage, |key_id| turn.is_set_aside(key_id));
    rejected.finish()
}

/// The keys of a flush whose usage was rejected alone. As long as nothing else was stored, the fault may be that of the
/// statement: then the next flush tries them again.
#[derive(Default)]
struct RejectedUsage {
    some_stored: bool,
    suspects: Vec<(String, Error)>,
    count: usize,
}

impl RejectedUsage {
    /// Notes a rejection, and the key if it was alone.
    fn add(&mut self, service: &Service, key_id: Option<String>, error: &Error) {
        self.count += 1;
        let Some(key_id) = key_id else { return };
        let is_known = service.unwritable_keys.contains(Unstored::Usage, &key_id);
        if self.some_stored || is_known {
            service.set_aside(Unstored::Usage, &key_id, error);
        } else {
            self.suspects.push((key_id, error.clone()));
        }
    }

    fn others_stored(&mut self, service: &Service) {
        self.some_stored = true;
        for (key_id, error) in self.suspects.drain(..) {
            service.set_aside(Unstored::Usage, &key_id, &error);
        }
    }

    /// The fault of what is left to the next flush.
    fn finish(self) -> Result<(), Error> {
        let suspect = self.suspects.into_iter().next();
        suspect.map_or(Ok(()), |(_, error)| Err(error))
    }
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
        .add_spent(process, batch.number, &shares)
        .await?;
    for total in &totals {
        let place = shares.binary_search_by(|share| share.limit_id.cmp(&total.limit_id));
        let own = place.ok().map(|place| &shares[place]);
        let own = own.filter(|share| share.generation == total.generation);
        reconcile(service, total, own.map_or(0, |share| share.cost));
    }
    Ok(totals.into_iter().map(|total| total.limit_id).collect())
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
async fn learn_fleet_totals(service: &Service, learned: &HashSet<LimitId>) -> Result<(), Error> {
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

fn reconcile(service: &Service, total: &FleetTotal, own: i64) {
    if let Some(limiter) = service.limiters.find(&total.limit_id) {
        limiter.reconcile(fleet_use(total), number(own));
    }
}

fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
