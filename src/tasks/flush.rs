//! Flushes once per interval: stores what this process counted, and reads how much of the rate limits other processes
//! used.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::audit_log;
use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::model::{FleetTotal, Timestamp, UsageBatch};
use crate::rate_limit::FleetUse;
use crate::service::Service;
use crate::store::{LockedRows, StoredBatch};
use crate::verify::store_suspensions;

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
            .run_round(BackgroundTask::Flush, Box::pin(flush(service)))
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

/// Deletes usage and audit entries beyond their retention. A failure of one does not prevent the other.
async fn prune(service: &Service, now: Timestamp) -> Result<(), Error> {
    let usage = service.store.prune_usage(now).await;
    if let Err(error) = &usage {
        service.report(error, Some(BackgroundTask::Pruning));
    }
    audit_log::prune(service, now).await.and(usage)
}

/// Stores everything that was counted before the call. After an error the counts are kept.
pub async fn flush(service: &Service) -> Result<(), Error> {
    let begun = Instant::now();
    let result = store_all(service).await;
    service.metrics.flushes.observe(begun.elapsed());
    if result.is_err() {
        service.metrics.flush_failures.add(1);
    }
    result
}

async fn store_all(service: &Service) -> Result<(), Error> {
    // Concurrently, so that a wait in one does not delay the others.
    let (suspended, touched, stored) = tokio::join!(
        store_suspensions(service),
        touch_admin_tokens(service),
        store_usage(service),
    );
    let learned = match stored {
        Ok(learned) => learn_fleet_totals(service, &learned).await,
        Err(error) => Err(error),
    };
    // The audit log comes last, since the others add entries to it.
    let written = audit_log::write(service).await;
    let results = [suspended, touched, learned, written];
    // Each is reported, since only the first error is returned.
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        service.report(error, Some(BackgroundTask::Flush));
    }
    results.into_iter().collect()
}

async fn touch_admin_tokens(service: &Service) -> Result<(), Error> {
    let (ids, at): (Vec<_>, Vec<_>) = service.usage.take_admin_tokens().into_iter().unzip();
    if ids.is_empty() {
        return Ok(());
    }
    service.store.touch_admin_tokens(&ids, &at).await
}

/// Stores the usage of keys. Returns the ids of the keys whose fleet totals were read along with it.
async fn store_usage(service: &Service) -> Result<HashSet<String>, Error> {
    let mut learned = HashSet::new();
    let mut locked_rows = LockedRows::default();
    let turn = service.usage.begin_flush().await;
    while let Some(batch) = turn.next_batch() {
        let stored = store_batch(service, &batch).await?;
        learned.extend(stored.totals.into_iter().map(|total| total.key_id));
        let skipped: HashSet<_> = stored.skipped.into_iter().collect();
        turn.stored(&skipped);
        if !skipped.is_empty() && !locked_rows.wait().await {
            return Err(Error::unavailable(
                "Rows of used keys are locked in the database: their usage is kept and stored later",
            ));
        }
    }
    Ok(learned)
}

async fn store_batch(service: &Service, batch: &UsageBatch) -> Result<StoredBatch, Error> {
    let now = service.now();
    let returns_in = |key_id: &str, cost| match service.limiters.find(key_id) {
        Some(limiter) => limiter.returns_in(number(cost)),
        // The limiter was dropped, so it was full again.
        None => Duration::ZERO,
    };
    let stored = service
        .store
        .add_usage(&service.usage.process, batch, returns_in, now)
        .await?;
    let own = |total: &FleetTotal| {
        let place = batch.uses.binary_search_by(|(id, _)| id.cmp(&total.key_id));
        let counted = place.ok().map(|place| batch.uses[place].1)?;
        let is_in =
            counted.generation == total.generation && !stored.skipped.contains(&total.key_id);
        is_in.then_some(counted.cost)
    };
    for total in &stored.totals {
        reconcile(service, total, own(total).unwrap_or(0), now);
    }
    Ok(stored)
}

/// Reads the fleet totals of the keys that were used in this process earlier but not in this flush.
async fn learn_fleet_totals(service: &Service, learned: &HashSet<String>) -> Result<(), Error> {
    /// Keys per statement, so that none takes too long, however many keys are in use.
    const PART: usize = 1_000;
    let used = service.limiters.sweep().into_iter().map(String::from);
    let unseen: Vec<String> = used.filter(|key_id| !learned.contains(key_id)).collect();
    for part in unseen.chunks(PART) {
        let now = service.now();
        for total in service.store.read_fleet_totals(part).await? {
            reconcile(service, &total, 0, now);
        }
    }
    Ok(())
}

fn reconcile(service: &Service, total: &FleetTotal, own: i64, now: Timestamp) {
    let Some(limiter) = service.limiters.find(&total.key_id) else {
        return;
    };
    let time_to_full = total.full_at.map_or(0, |at| at.millis_after(now));
    limiter.reconcile(
        FleetUse {
            generation: total.generation,
            total: number(total.total),
            time_to_full: Duration::from_millis(time_to_full),
        },
        number(own),
    );
}

fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
