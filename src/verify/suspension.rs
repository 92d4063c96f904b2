//! Suspends keys that keep exceeding their limit: in this process at once, then in the database, so that every process
//! refuses them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::events::Event;
use crate::model::{Escaped, Timestamp};
use crate::service::Service;
use crate::store::{LockedRows, Parts, SuspensionOutcome};
use crate::suspensions::PendingSuspension;
use crate::unwritable_keys::Unstored;

/// Suspensions per statement, so that it finishes within its timeout.
const BATCH_MAX: usize = 1_000;

/// Suspends the key and returns for how many milliseconds. Returns `None` if suspensions are switched off.
pub(super) fn suspend(service: &Service, entry: &Arc<KeyEntry>, now: Timestamp) -> Option<u64> {
    let suspension = service.config.suspension;
    if suspension.is_zero() {
        return None;
    }
    if service.suspensions.add(entry, suspension, now) {
        service.urgent.notify_one();
    }
    Some(u64::try_from(suspension.as_millis()).unwrap_or(u64::MAX))
}

/// Stores the suspensions that are not in the database yet. After an error they are kept for the next attempt; those
/// that have expired by then are dropped.
pub async fn store_suspensions(service: &Service) -> Result<(), Error> {
    let _writer = service.suspensions.begin_storing().await;
    let mut locked_rows = LockedRows::default();
    loop {
        let due = due(service);
        if due.is_empty() {
            return Ok(());
        }
        let mut some_are_locked = false;
        for batch in due.chunks(BATCH_MAX) {
            some_are_locked |= store_batch(service, batch).await?;
        }
        if some_are_locked && !locked_rows.wait().await {
            return Err(Error::unavailable(
                "Rows of suspended keys are locked in the database: their suspensions are kept and stored later",
            ));
        }
    }
}

/// The suspensions to store now: all but those that were rejected a moment ago.
fn due(service: &Service) -> Vec<Arc<PendingSuspension>> {
    let (keys, what) = (&service.unwritable_keys, Unstored::Suspension);
    let mut due = service.suspensions.due(service.now());
    if !keys.is_empty() {
        let ids: HashSet<&str> = due.iter().map(|pending| pending.key_id()).collect();
        keys.retain(what, |key_id| ids.contains(key_id));
        let now = Instant::now();
        due.retain(|pending| !keys.waits(what, pending.key_id(), now));
    }
    due
}

/// Stores one batch, without the keys whose rows cannot be written. Returns whether some of it is left because its rows
/// are locked.
async fn store_batch(service: &Service, batch: &[Arc<PendingSuspension>]) -> Result<bool, Error> {
    let (keys, what) = (&service.unwritable_keys, Unstored::Suspension);
    let mut some_are_locked = false;
    let mut parts = Parts::of(batch);
    while let Some(part) = parts.next_part() {
        match store_part(service, part).await {
            Ok(is_locked) => {
                parts.stored();
                some_are_locked |= is_locked;
            }
            Err(error) => parts.failed(part, error)?,
        }
    }
    for (pending, error) in parts.rejected(|pending| keys.contains(what, pending.key_id()))? {
        service.set_aside(what, pending.key_id(), &error);
    }
    Ok(some_are_locked)
}

async fn store_part(service: &Service, part: &[Arc<PendingSuspension>]) -> Result<bool, Error> {
    let now = service.now();
    let suspensions: Vec<_> = part.iter().map(|pending| pending.send()).collect();
    let SuspensionOutcome { stored, locked } =
        service.store.suspend_keys(&suspensions, now).await?;
    let [stored, locked] = [&stored, &locked].map(|ids| ids.iter().collect::<HashSet<_>>());
    for (sent, pending) in suspensions.iter().zip(part) {
        if locked.contains(&sent.key_id) {
            continue;
        }
        if stored.contains(&sent.key_id) {
            service.metrics.suspensions.add(1);
            service.record(suspended(pending), now);
        }
        // From here on the row holds the suspension, so the cached entries are marked to be read again.
        service.cache.changed(&sent.key_id);
        pending.mark_stored();
    }
    Ok(!locked.is_empty())
}

fn suspended(pending: &PendingSuspension) -> Event {
    Event::KeySuspended {
        key_id: Escaped::new(pending.key_id()),
        name: pending.name.clone(),
        client_id: pending.client_id.clone(),
        suspended_until: pending.until.millis(),
    }
}
