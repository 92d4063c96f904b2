//! Decides about keys with quotas of which this process must lease units first.

use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::time::timeout;

use super::context::VerifyContext;
use super::current::is_current;
use super::decide::decide;
use super::verification::Verification;
use crate::cached_key::{CachedKey, KeyEntry};
use crate::error::Error;
use crate::service::Service;

/// The decision, with as many leases as it takes in the time for a statement; `None` if the key was changed meanwhile.
pub(super) async fn decide_with_leases(
    service: &Service,
    entry: Arc<KeyEntry>,
    context: &VerifyContext<'_>,
) -> Result<Option<Verification>, Error> {
    let decide_now = || decide(service, Arc::clone(&entry), context, service.moment());
    if let Some(decided) = decide_now()? {
        return Ok(Some(decided));
    }
    let leased = timeout(service.config.statement_timeout, async {
        loop {
            lease_units(service, &entry.value, context).await?;
            if !is_current(service, &entry) {
                return Ok(None);
            }
            if let Some(decided) = decide_now()? {
                return Ok(Some(decided));
            }
        }
    });
    leased.await.unwrap_or(Err(Error::OVERLOADED))
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
