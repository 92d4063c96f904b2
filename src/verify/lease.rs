//! Decides about keys with quotas of which this process must lease units first.

use std::sync::Arc;

use futures_util::future::try_join_all;

use super::context::VerifyContext;
use super::current::is_current;
use super::decide::decide;
use super::verification::Verification;
use crate::cached_key::{CachedKey, KeyEntry};
use crate::error::Error;
use crate::service::Service;

/// The decision, with as many leases as it takes; `None` if the key was changed meanwhile.
pub(super) async fn decide_with_leases(
    service: &Service,
    entry: Arc<KeyEntry>,
    context: &VerifyContext<'_>,
) -> Result<Option<Verification>, Error> {
    loop {
        let decided = decide(service, Arc::clone(&entry), context, service.moment())?;
        if decided.is_some() {
            return Ok(decided);
        }
        lease_units(service, &entry.value, context).await?;
        if !is_current(service, &entry) {
            return Ok(None);
        }
    }
}

/// Leases the units that a request needs. Others may spend them before it does.
async fn lease_units(
    service: &Service,
    key: &CachedKey,
    context: &VerifyContext<'_>,
) -> Result<(), Error> {
    // During an outage nobody waits, and nothing is asked.
    service.store.circuit().check()?;
    let mut waits = Vec::new();
    for quota in key.quotas() {
        let cost = context.costs.of(&quota.quota.name);
        let lease = quota.lease(&service.leases);
        if cost > 0 && lease.needs(cost, service.moment()) {
            let needed = if context.peek { 0 } else { cost };
            waits.push(service.leases.wait(lease, needed)?.end());
        }
    }
    try_join_all(waits).await.map(drop)
}
