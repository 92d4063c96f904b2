//! Once an interval: stores what was counted here, and learns what other processes have used of the limits.

use std::collections::HashSet;
use std::sync::Weak;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::audit;
use crate::defect::caught;
use crate::error::Error;
use crate::limit::Spent;
use crate::model::Timestamp;
use crate::service::Service;
use crate::store::{Batch, KeySpent, Stored};

const PRUNE_INTERVAL: Duration = Duration::from_secs(3_600);

/// Flushes for as long as the service is in use; suspensions do not wait for an interval.
pub async fn run(service: Weak<Service>, interval: Duration) {
    let mut next = Instant::now() + interval;
    // With the first flush as well: not every process lives for long.
    let mut prune_at = Instant::now();
    while let Some(service) = service.upgrade() {
        let urgent = timeout_at(next, service.urgent.notified()).await.is_ok();
        let now = Timestamp::now();
        // A fault keeps what is to be stored: the next interval tries again.
        if urgent {
            let _ = caught(service.suspensions.store(&service)).await;
            continue;
        }
        let _ = caught(flush(&service)).await;
        let _ = caught(service.orphans.sweep(&service.store, now)).await;
        if prune_at <= Instant::now() {
            let _ = caught(service.store.prune_usage(now)).await;
            let _ = caught(audit::prune(&service, now)).await;
            prune_at = Instant::now() + PRUNE_INTERVAL;
        }
        next = Instant::now() + interval;
    }
}

/// Stores all that was counted before the call. On a fault the counts are kept.
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
    // Side by side: what one of them has to wait for holds up none of the others.
    let (suspended, touched, told) = tokio::join!(
        service.suspensions.store(service),
        touch_admin_tokens(service),
        store_usage(service),
    );
    let learned = match told {
        Ok(told) => learn_spent(service, &told).await,
        Err(error) => Err(error),
    };
    // Last: it has what was told of the others.
    let written = audit::write(service).await;
    suspended.and(touched).and(learned).and(written)
}

async fn touch_admin_tokens(service: &Service) -> Result<(), Error> {
    let (ids, at): (Vec<_>, Vec<_>) = service.usage.take_admin_tokens().into_iter().unzip();
    if ids.is_empty() {
        return Ok(());
    }
    service.store.touch_admin_tokens(&ids, &at).await
}

/// Answers the keys of which it learned what all processes have spent.
async fn store_usage(service: &Service) -> Result<HashSet<String>, Error> {
    const PAUSE: Duration = Duration::from_millis(50);
    /// Batches with rows that somebody has locked.
    const TRIES: usize = 20;
    let mut told = HashSet::new();
    let mut tries = 0;
    let flushing = service.usage.flushing().await;
    while let Some(batch) = flushing.next_batch() {
        let stored = store_batch(service, &batch).await?;
        told.extend(stored.spent.into_iter().map(|spent| spent.key_id));
        let skipped: HashSet<_> = stored.skipped.into_iter().collect();
        flushing.stored(&skipped);
        if skipped.is_empty() {
            continue;
        }
        tries += 1;
        if tries == TRIES {
            return Err(Error::unavailable(
                "Rows of used keys are locked in the database: their usage is kept and stored later",
            ));
        }
        sleep(PAUSE).await;
    }
    Ok(told)
}

async fn store_batch(service: &Service, batch: &Batch) -> Result<Stored, Error> {
    let now = Timestamp::now();
    let returns_in = |key_id: &str, cost| match service.limits.find(key_id) {
        Some(limiter) => limiter.returns_in(number(cost)),
        // Dropped, so it has returned.
        None => Duration::ZERO,
    };
    let stored = service
        .store
        .add_usage(&service.usage.process, batch, returns_in, now)
        .await?;
    let own = |spent: &KeySpent| {
        let place = batch.uses.binary_search_by(|(id, _)| id.cmp(&spent.key_id));
        let counted = place.ok().map(|place| batch.uses[place].1)?;
        let is_in = counted.epoch == spent.epoch && !stored.skipped.contains(&spent.key_id);
        is_in.then_some(counted.cost)
    };
    for spent in &stored.spent {
        settle(service, spent, own(spent).unwrap_or(0), now);
    }
    Ok(stored)
}

/// Of the keys that were used here before, and by others since.
async fn learn_spent(service: &Service, told: &HashSet<String>) -> Result<(), Error> {
    let used = service.limits.sweep().into_iter().map(String::from);
    let untold: Vec<String> = used.filter(|key_id| !told.contains(key_id)).collect();
    if untold.is_empty() {
        return Ok(());
    }
    let now = Timestamp::now();
    for spent in service.store.read_spent(&untold).await? {
        settle(service, &spent, 0, now);
    }
    Ok(())
}

fn settle(service: &Service, spent: &KeySpent, own: i64, now: Timestamp) {
    let Some(limiter) = service.limits.find(&spent.key_id) else {
        return;
    };
    let full_in = spent.full_at.map_or(0, |at| at.millis_after(now));
    limiter.settle(
        Spent {
            epoch: spent.epoch,
            total: number(spent.total),
            full_in: Duration::from_millis(full_in),
        },
        number(own),
    );
}

fn number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
