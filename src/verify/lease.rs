//! Decides about keys with quotas of which this process must lease units first.

use std::sync::Arc;

use futures_util::future::try_join_all;
use tokio::time::timeout;

use super::context::VerifyContext;
use super::current::is_current;
use super::decide::{Decided, decide};
use super::verification::Verification;
use crate::cached_key::{CachedKey, KeyEntry};
use crate::error::Error;
use crate::quota_leases::Lease;
use crate::service::Service;

/// The decision, once units are leased if that is necessary; `None` if the key was changed meanwhile.
pub(super) async fn decide_with_leases(
    service: &Service,
    entry: Arc<KeyEntry>,
    context: &VerifyContext<'_>,
) -> Result<Option<Verification>, Error> {
    match decide(service, entry, context, service.moment())? {
        Decided::Answer(verification) => Ok(Some(verification)),
        Decided::NeedsLease(entry) => lease_and_decide(service, entry, context).await,
    }
}

/// The decision, after as many leases as it takes in the time for a statement; `None` if the key was changed meanwhile.
pub(super) async fn lease_and_decide(
    service: &Service,
    mut entry: Arc<KeyEntry>,
    context: &VerifyContext<'_>,
) -> Result<Option<Verification>, Error> {
    let leased = timeout(service.config.statement_timeout, async {
        loop {
            lease_units(service, &entry.value, context).await?;
            if !is_current(service, &entry) {
                return Ok(None);
            }
            entry = match decide(service, entry, context, service.moment())? {
                Decided::Answer(verification) => return Ok(Some(verification)),
                Decided::NeedsLease(entry) => entry,
            };
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
    let needs = |lease: &Lease, cost| lease.needs(cost, service.moment());
    wait_for_answers(service, key, context, needs).await
}

/// Has the database asked about the quotas that a request costs something of, as far as that is due. A request that only peeks
/// needs no units.
pub(super) async fn wait_for_answers(
    service: &Service,
    key: &CachedKey,
    context: &VerifyContext<'_>,
    is_due: impl Fn(&Lease, u32) -> bool,
) -> Result<(), Error> {
    let mut waits = Vec::new();
    for quota in key.quotas() {
        let cost = context.costs.of(&quota.quota.name);
        let lease = quota.lease(&service.leases);
        if cost > 0 && is_due(lease, cost) {
            let needed = if context.peek { 0 } else { cost };
            waits.push(service.leases.wait(lease, needed)?.end());
        }
    }
    try_join_all(waits).await.map(drop)
}
