//! Decides whether an authenticated key may be used for this request now. Charges the limits and counts the use, unless the
//! caller only peeks.

use std::sync::Arc;

use super::charge::{Charged, charge};
use super::context::VerifyContext;
use super::settle::handle;
use super::suspension::suspend;
use super::verification::{LimitStates, LimitedBy, RefusedKey, Verification};
use crate::cached_key::KeyEntry;
use crate::cached_limits::LimitOfKey;
use crate::error::Error;
use crate::model::{Escaped, Level, Moment, Refusal, Timestamp};
use crate::reused_keys::ReusedKey;
use crate::service::Service;
use crate::usage::Counted;

/// What is decided about a key.
pub(super) enum Decided {
    Answer(Verification),
    /// The process must lease units of a quota first.
    NeedsLease(Arc<KeyEntry>),
}

/// # Errors
/// [`Error::InvalidInput`] if the context has a cost of a limit that the key does not have.
pub(super) fn decide(
    service: &Service,
    entry: Arc<KeyEntry>,
    context: &VerifyContext<'_>,
    at: Moment,
) -> Result<Decided, Error> {
    if !entry.value.is_for(context.audience.as_deref()) {
        let refused = RefusedKey::of_entry(Refusal::InvalidKey, entry, None);
        return Ok(Decided::Answer(Verification::Refused(refused)));
    }
    let now = at.time;
    let policy = &entry.value.policy;
    if let Some(refusal) = context.refusal_of_class(&service.config.kinds, policy.class) {
        let refused = RefusedKey::of_class(refusal);
        return Ok(Decided::Answer(Verification::Refused(refused)));
    }
    let own = &entry.row.shared;
    let suspended_until = policy.suspended_until.max(own.suspended_until());
    let suspended_until = suspended_until.and_then(|until| own.end_of(until, now));
    let clients = entry.value.client.policies();
    let scopes = &context.scopes;
    let is_idle = is_idle(&entry, at);
    let from = (context.ip, context.origin.as_deref());
    let checked = policy.check(now, from, scopes, is_idle, suspended_until, clients);
    if let Err(refusal) = checked {
        let until = suspended_until.filter(|_| refusal == Refusal::Suspended);
        let retry_after_ms = until.map(|until| until.millis_after(now));
        // A replaced key after its grace period is not known any more.
        if refusal == Refusal::InvalidKey {
            note_reuse(service, &entry, context, at);
        } else {
            count(service, &entry, context, Some(refusal), 0, now);
        }
        let is_idle = refusal == Refusal::Expired && !policy.is_expired(now);
        let is_of_scopes = refusal == Refusal::InsufficientScope;
        let refused = RefusedKey {
            is_idle,
            missing_scopes: is_of_scopes.then(|| scopes.missing(&policy.scopes)),
            ..RefusedKey::of_entry(refusal, entry, retry_after_ms)
        };
        return Ok(Decided::Answer(Verification::Refused(refused)));
    }
    if !context.is_of_guard {
        context.costs.require_limits_of(&entry.value)?;
    }
    let answer = match charge(service, &entry.value, context, at) {
        Charged::Allowed { states, taken } => {
            let charge = if context.peek {
                None
            } else {
                let cost = context.costs.of_request(&entry.value);
                count(service, &entry, context, None, cost, now);
                if entry.value.idle.is_some() {
                    entry.row.note_use(at.instant);
                }
                handle(service, &entry, context, cost, at, &states, &taken)
            };
            Verification::Valid {
                entry,
                limits: states,
                charge,
            }
        }
        Charged::Refused { states, limited_by } => {
            limited(service, entry, states, &limited_by, context, now)
        }
        Charged::Unknown => return Ok(Decided::NeedsLease(entry)),
    };
    Ok(Decided::Answer(answer))
}

fn is_idle(entry: &KeyEntry, at: Moment) -> bool {
    let idle = entry.value.idle.as_ref();
    idle.is_some_and(|rule| rule.is_idle(entry.row.last_use(), at.instant))
}

/// Notes for operators that a replaced key was presented after its grace period.
fn note_reuse(service: &Service, entry: &KeyEntry, context: &VerifyContext<'_>, at: Moment) {
    if context.peek {
        return;
    }
    let policy = &entry.value.policy;
    service
        .reused_keys
        .note(&policy.key_id, at.instant, || ReusedKey {
            name: Escaped::new(&policy.name),
            client_id: Escaped::new(&policy.client_id),
            ip: context.ip,
        });
}

/// The refusal of a key that is not within one of its limits or quotas.
fn limited(
    service: &Service,
    entry: Arc<KeyEntry>,
    states: LimitStates,
    limited_by: &LimitedBy,
    context: &VerifyContext<'_>,
    now: Timestamp,
) -> Verification {
    let index = limited_by.index;
    if index >= states.len() {
        if !context.peek {
            let quota = entry.value.limit_name(index);
            let level = quota.map_or("", |(level, _)| level.name());
            service.metrics.quota_refusals.count(level);
        }
        let wait = limited_by.retry_after_ms;
        count(
            service,
            &entry,
            context,
            Some(Refusal::QuotaExceeded),
            0,
            now,
        );
        return Verification::limited(Refusal::QuotaExceeded, entry, states, index, wait);
    }
    count(service, &entry, context, Some(Refusal::RateLimited), 0, now);
    let suspension = (!context.peek)
        .then(|| note_limited(service, &entry, limited_by, now))
        .flatten();
    let wait = suspension.or(limited_by.retry_after_ms);
    Verification::limited(Refusal::RateLimited, entry, states, index, wait)
}

/// Counts the verify for the usage of its key, unless the caller only peeks.
fn count(
    service: &Service,
    entry: &KeyEntry,
    context: &VerifyContext<'_>,
    refusal: Option<Refusal>,
    cost: u64,
    now: Timestamp,
) {
    if context.peek {
        return;
    }
    let counted = Counted {
        refusal,
        tag: context.tag.as_deref(),
        count: 1,
        cost: i64::try_from(cost).unwrap_or(i64::MAX),
        ip: context.ip.filter(|_| service.config.last_used_ip),
    };
    entry.value.count(&service.usage, &counted, now);
}

/// Counts the refusal for the metrics, and suspends the key if that is due: then for how many milliseconds. A cost above the
/// limit can never be allowed, so it does not count as abuse of the limit.
fn note_limited(
    service: &Service,
    entry: &Arc<KeyEntry>,
    limited_by: &LimitedBy,
    now: Timestamp,
) -> Option<u64> {
    let limit = entry.value.limits().nth(limited_by.index)?;
    service.metrics.limit_refusals.count(limit.level.name());
    let is_due = limited_by.is_temporary && is_last_refusal(service, entry, &limit);
    is_due.then(|| suspend(service, entry, now)).flatten()
}

/// Counts the refusal towards a suspension. Returns whether it was the last one that is needed.
fn is_last_refusal(service: &Service, entry: &KeyEntry, limit: &LimitOfKey<'_>) -> bool {
    let (rule, times) = (limit.limit.rule, service.config.suspend_after);
    limit.limit.suspends
        && match limit.level {
            Level::Key => limit.limiter(&service.limiters).count_refusal(rule, times),
            // Only the key that exceeds the limit is suspended.
            _ => entry.row.shared.count_refusal(rule.window, times),
        }
}
