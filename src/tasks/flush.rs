//! Flushes once per interval: stores what this process counted, and reads how much of the rate limits other processes
//! used. Uses of keys are stored less often where that takes long.

mod costs;
mod rotation;
mod uses;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use self::costs::{learn_fleet_totals, learn_of_others, store_costs};
use self::rotation::report_reused_keys;
use self::uses::store_uses;
use crate::audit_log;
use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::model::{LimitId, Timestamp};
use crate::quotas;
use crate::service::Service;
use crate::store::Parts;
use crate::usage_history;
use crate::verify::store_suspensions;
use crate::webhooks;

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
            .run_round(BackgroundTask::Flush, Box::pin(flush(service, Extent::Due)))
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
    let history = usage_history::prune(service).await;
    let notices = webhooks::prune(service).await;
    for error in [&usage, &quotas, &history, &notices]
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
        .and(history)
        .and(notices)
        .and(idempotency_keys)
}

/// What a flush stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What is due: it holds back use of limits that no other process needs to know of, and keeps units of quotas.
    Due,
    /// Everything. It gives back all units of quotas that are not spent.
    All,
}

/// Stores what was counted before the call, to this extent. After an error the counts are kept.
pub async fn flush(service: &Service, extent: Extent) -> Result<(), Error> {
    let begun = Instant::now();
    let result = store_all(service, extent).await;
    service.metrics.flushes.observe(begun.elapsed());
    service.note_flush(result.is_err());
    if result.is_err() {
        service.metrics.flush_failures.add(1);
    }
    result
}

async fn store_all(service: &Service, extent: Extent) -> Result<(), Error> {
    // Concurrently, so that a wait in one does not delay the others.
    let mut learned = HashSet::new();
    let (suspended, reused, touched, stored, reported) = tokio::join!(
        store_suspensions(service),
        // Rarely anything, and large.
        Box::pin(report_reused_keys(service)),
        touch_admin_tokens(service),
        store_usage(service, extent, &mut learned),
        report_leases(service, extent),
    );
    // Whatever became of the usage: limits that others have used up must be known.
    let learned = learn_fleet_totals(service, &learned).await;
    // The audit log comes last, since the others add entries to it.
    let written = audit_log::write(service).await;
    let results = [
        suspended, reused, touched, stored, reported, learned, written,
    ];
    // Each is reported, since only the first error is returned.
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        service.report(error, Some(BackgroundTask::Flush));
    }
    results.into_iter().collect()
}

async fn report_leases(service: &Service, extent: Extent) -> Result<(), Error> {
    match extent {
        Extent::Due => quotas::report_due(service).await,
        Extent::All => quotas::return_all(service).await,
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

/// Stores the usage of keys and limits. Notes the limits whose fleet totals were read along with it. Costs come before uses,
/// so that processes share limits even where rows of keys cannot be written.
async fn store_usage(
    service: &Service,
    extent: Extent,
    learned: &mut HashSet<LimitId>,
) -> Result<(), Error> {
    let usage = &service.usage;
    let turn = usage.begin_flush().await;
    let known = learn_of_others(service).await;
    turn.add_costs(service.limiters.take_unshared(extent == Extent::All));
    store_costs(service, &turn, learned).await?;
    let begun = Instant::now().into_std();
    let is_due = usage.tempo().is_due(begun);
    if extent == Extent::All {
        store_uses(service, &turn).await?;
    } else if is_due {
        let cost = store_uses(service, &turn).await?;
        usage.tempo().stored(begun, cost);
    }
    known
}
