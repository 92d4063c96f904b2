//! Decides whether an authenticated key may be used for this request now. Charges the rate limit and counts the use, unless
//! the caller only peeks.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::context::VerifyContext;
use super::suspension::suspend;
use super::verification::Verification;
use crate::cached_key::KeyEntry;
use crate::model::{KeyPolicy, Refusal, Timestamp};
use crate::rate_limit::{Decision, Rule};
use crate::service::Service;

pub(super) fn decide(
    service: &Service,
    entry: Arc<KeyEntry>,
    context: &VerifyContext<'_>,
    now: Timestamp,
) -> Verification {
    let policy = &entry.value.policy;
    let suspended_until = policy
        .suspended_until
        .max(entry.row.shared.suspended_until());
    let suspended_until = suspended_until.and_then(|until| entry.row.shared.end_of(until, now));
    let clients = entry.value.client.policies();
    let scopes = context.scopes.iter();
    if let Err(refusal) = policy.check(now, context.ip, scopes, suspended_until, clients) {
        let until = suspended_until.filter(|_| refusal == Refusal::Suspended);
        let retry_after_ms = until.map(|until| until.millis_after(now));
        return Verification::refused(refusal, entry, retry_after_ms, None);
    }
    let count_use = || {
        if !context.peek {
            entry.value.count_use(&service.usage, now);
        }
    };
    let Some(rule) = rule(service, policy) else {
        count_use();
        return Verification::Valid {
            entry,
            rate_limit: None,
        };
    };
    let limiter = entry.value.limiter(&service.limiters, rule);
    let decision = if context.peek {
        limiter.peek(rule, context.cost)
    } else {
        limiter.check(rule, context.cost)
    };
    match decision {
        Decision::Allowed(rate_limit) => {
            count_use();
            Verification::Valid {
                entry,
                rate_limit: Some(rate_limit),
            }
        }
        Decision::Refused {
            rate_limit,
            retry_after_ms,
        } => {
            // A cost above the limit can never be allowed, so it does not count as abuse of the limit.
            let counts = !context.peek
                && retry_after_ms.is_some()
                && limiter.count_refusal(rule, service.config.suspend_after);
            let suspension = counts.then(|| suspend(service, &entry, now)).flatten();
            Verification::refused(
                Refusal::RateLimited,
                entry,
                suspension.or(retry_after_ms),
                Some(rate_limit),
            )
        }
    }
}

/// The rate limit of the key; `None` means unlimited.
pub(super) fn rule(service: &Service, policy: &KeyPolicy) -> Option<Rule> {
    let limit = u32::try_from(policy.rate_limit?)
        .ok()
        .and_then(NonZeroU32::new)?;
    let seconds = policy
        .rate_limit_window_seconds
        .and_then(|seconds| u64::try_from(seconds).ok());
    let window = match seconds {
        None | Some(0) => service.config.rate_limit_window,
        Some(seconds) => Duration::from_secs(seconds),
    };
    Some(Rule {
        limit,
        window,
        generation: policy.reset_generation,
    })
}
