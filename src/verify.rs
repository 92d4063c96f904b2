//! One verify, top to bottom.

mod context;

pub use context::Context;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::Error;
use crate::hash::Proof;
use crate::limit::{Decision, RateLimit, Rule};
use crate::model::{Grant, Refusal, Timestamp};
use crate::service::Service;
use crate::token::{Parsed, Plaintext};

/// The answer: a refusal is a value, only faults are errors.
#[derive(Debug)]
pub enum Verification {
    Valid {
        grant: Grant,
        rate_limit: Option<RateLimit>,
    },
    Refused(Refused),
}

#[derive(Debug)]
pub struct Refused {
    pub refusal: Refusal,
    /// Known only where the key itself was right.
    pub key_id: Option<String>,
    pub retry_after_ms: Option<u64>,
    pub rate_limit: Option<RateLimit>,
}

/// Verifies a presented key. Only an accepted verify counts as usage.
pub async fn verify(
    service: &Service,
    key: Plaintext,
    context: &Context,
    now: Timestamp,
) -> Result<Verification, Error> {
    let Some(grant) = authenticate(service, key).await? else {
        return Ok(Verification::Refused(Refused::plain(Refusal::InvalidKey)));
    };
    decide(service, grant, context, now).await
}

/// Whose key it is. Junk and forgeries end before the database, a wrong secret at the hash.
async fn authenticate(service: &Service, key: Plaintext) -> Result<Option<Grant>, Error> {
    let Some(Parsed::Issued { lookup, .. }) = service.tokens.parse(key.expose()) else {
        return Ok(None);
    };
    let Some(candidate) = service.store.find_candidate(lookup).await? else {
        // As much work as for a known lookup, so that the time does not tell which ids exist.
        service.hasher.dummy(key).await?;
        return Ok(None);
    };
    let proof = service.hasher.verify(key, candidate.hash).await?;
    Ok(matches!(proof, Proof::Match { .. }).then_some(candidate.grant))
}

/// Whether the key may be used now, here and for this.
async fn decide(
    service: &Service,
    grant: Grant,
    context: &Context,
    now: Timestamp,
) -> Result<Verification, Error> {
    if let Err(refusal) = grant.check(now, context.ip, &context.scopes) {
        return Ok(Verification::Refused(Refused::of(refusal, &grant, now)));
    }
    let Some(rule) = rule(service, &grant) else {
        service.usage.record(&grant.key_id, now);
        return Ok(Verification::Valid {
            grant,
            rate_limit: None,
        });
    };
    match service.limits.check(&grant.key_id, rule, context.cost) {
        Decision::Allowed(rate_limit) => {
            service.usage.record(&grant.key_id, now);
            Ok(Verification::Valid {
                grant,
                rate_limit: Some(rate_limit),
            })
        }
        Decision::Refused {
            rate_limit,
            retry_after_ms,
        } => {
            let refused = Refused {
                rate_limit: Some(rate_limit),
                retry_after_ms,
                ..Refused::of(Refusal::RateLimited, &grant, now)
            };
            suspend(service, &grant, refused, now)
                .await
                .map(Verification::Refused)
        }
    }
}

/// The key's limit; `None` is unlimited.
fn rule(service: &Service, grant: &Grant) -> Option<Rule> {
    let limit = u32::try_from(grant.rate_limit?)
        .ok()
        .and_then(NonZeroU32::new)?;
    let seconds = grant
        .rate_limit_window_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let window = match seconds {
        None | Some(0) => service.config.rate_limit_window,
        Some(seconds) => Duration::from_secs(seconds),
    };
    Some(Rule { limit, window })
}

/// A key over its limit is suspended for a time. A single request that costs more than the whole limit is not
/// a sign of abuse and never counts.
async fn suspend(
    service: &Service,
    grant: &Grant,
    refused: Refused,
    now: Timestamp,
) -> Result<Refused, Error> {
    let suspension = service.config.suspension;
    if suspension.is_zero() || refused.retry_after_ms.is_none() {
        return Ok(refused);
    }
    let until = now.plus_seconds(i64::try_from(suspension.as_secs()).unwrap_or(i64::MAX));
    service.store.suspend_key(&grant.key_id, until, now).await?;
    Ok(Refused {
        retry_after_ms: Some(until.millis_after(now)),
        ..refused
    })
}

impl Refused {
    /// Nothing is said of the key.
    fn plain(refusal: Refusal) -> Self {
        Self {
            refusal,
            key_id: None,
            retry_after_ms: None,
            rate_limit: None,
        }
    }

    fn of(refusal: Refusal, grant: &Grant, now: Timestamp) -> Self {
        let until = grant
            .suspended_until
            .filter(|_| refusal == Refusal::Suspended);
        Self {
            // A replaced key beyond its grace is answered like an unknown one.
            key_id: (refusal != Refusal::InvalidKey).then(|| grant.key_id.clone()),
            retry_after_ms: until.map(|until| until.millis_after(now)),
            ..Self::plain(refusal)
        }
    }
}
