//! The cold path: a verify that may need the database and a hash.

use std::sync::Arc;
use std::time::Instant;

use super::attempt::note_refusal;
use super::authenticate::{PresentedKey, authenticate};
use super::context::VerifyContext;
use super::current::find;
use super::lease::{decide_with_leases, lease_and_decide};
use super::memory::{MemoryAnswer, answer};
use super::peek::ask_the_others;
use super::verification::{RefusedKey, Verification};
use crate::cache::CacheLookup;
use crate::error::Error;
use crate::model::Plaintext;
use crate::service::Service;

/// Verifies a presented key. Only an accepted verify counts as usage.
pub async fn verify(
    service: &Arc<Service>,
    key: Plaintext,
    context: &VerifyContext<'_>,
) -> Result<Verification, Error> {
    if context.peek
        && let CacheLookup::Current(entry) =
            find(service, &service.cache.key(key.expose()), service.moment())
    {
        ask_the_others(service, &entry.value, context).await?;
    }
    let verification = verified(service, &key, context).await?;
    if let Verification::Refused(refused) = &verification
        && !context.peek
    {
        let claims = || context.claims.clone();
        note_refusal(
            service,
            key.expose(),
            refused,
            context.ip,
            claims,
            service.now(),
        );
    }
    Ok(verification)
}

/// How often a key may be changed while units of its quotas are leased.
const TRIES: usize = 5;

async fn verified(
    service: &Arc<Service>,
    key: &Plaintext,
    context: &VerifyContext<'_>,
) -> Result<Verification, Error> {
    for _ in 0..TRIES {
        if let Some(verification) = verified_unless_changed(service, key, context).await? {
            return Ok(verification);
        }
    }
    Err(Error::OVERLOADED)
}

/// The answer; `None` if the key was changed while units of its quotas were leased.
async fn verified_unless_changed(
    service: &Arc<Service>,
    key: &Plaintext,
    context: &VerifyContext<'_>,
) -> Result<Option<Verification>, Error> {
    match answer(service, key.expose(), context, service.now())? {
        MemoryAnswer::Answered {
            verification,
            in_cache,
        } => {
            if in_cache {
                service.metrics.lookups.count("hit");
            }
            Ok(Some(verification))
        }
        MemoryAnswer::NeedsLease(entry) => {
            service.metrics.lookups.count("hit");
            lease_and_decide(service, entry, context).await
        }
        MemoryAnswer::Unknown(unknown) => {
            let looked_up = if unknown.is_stale { "stale" } else { "miss" };
            service.metrics.lookups.count(looked_up);
            cold(service, PresentedKey::of(&unknown, key), context).await
        }
    }
}

async fn cold(
    service: &Arc<Service>,
    presented: PresentedKey,
    context: &VerifyContext<'_>,
) -> Result<Option<Verification>, Error> {
    let began_at = Instant::now();
    let authenticated = authenticate(service, presented).await;
    service.metrics.cold.observe(began_at.elapsed());
    match authenticated? {
        Some(entry) => {
            if context.peek {
                ask_the_others(service, &entry.value, context).await?;
            }
            decide_with_leases(service, entry, context).await
        }
        None => {
            if !context.peek {
                // Counted even if the address has been throttled since, so that concurrent attempts all count.
                service.throttle.count(context.ip, Instant::now());
            }
            Ok(Some(Verification::Refused(RefusedKey::invalid())))
        }
    }
}
