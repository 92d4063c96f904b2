//! Charges the limits and quotas of a key and of the clients above it: all of them, or none.

use std::num::NonZeroU32;

use smallvec::SmallVec;

use super::context::VerifyContext;
use super::verification::{LimitStates, LimitedBy};
use crate::cached_key::{Bounds, CachedKey};
use crate::cached_limits::LimitOfKey;
use crate::cached_quotas::QuotaOfKey;
use crate::model::{Moment, RateLimit};
use crate::quota_leases::{QuotaAnswer, Taken};
use crate::rate_limit::{Decision, Limiters};
use crate::service::Service;

/// What became of a request.
pub(super) enum Charged {
    Allowed {
        states: LimitStates,
        taken: Takings,
    },
    /// By the first limit that it exceeds, or the first quota. Nothing is charged.
    Refused {
        states: LimitStates,
        limited_by: LimitedBy,
    },
    /// The process must lease units of a quota first. Nothing is charged.
    Unknown,
}

/// What a request has taken of each quota, in their order.
pub(super) type Takings = SmallVec<[Taken; 1]>;

pub(super) fn charge(
    service: &Service,
    key: &CachedKey,
    context: &VerifyContext<'_>,
    now: Moment,
) -> Charged {
    match key.bounds() {
        Bounds::None => Charged::Allowed {
            states: LimitStates::new(),
            taken: Takings::new(),
        },
        Bounds::OneLimit(limit) => charge_only(&service.limiters, &limit, context),
        Bounds::Several => {
            let _together = service.limiters.together();
            charge_all(service, key, context, now)
        }
    }
}

/// Charges the only limit of a key.
fn charge_only(
    limiters: &Limiters,
    limit: &LimitOfKey<'_>,
    context: &VerifyContext<'_>,
) -> Charged {
    let decision = match cost_of(limit, context) {
        None => Decision::Allowed(state_of(limiters, limit)),
        Some(cost) if context.peek => decide(limiters, limit, cost, true),
        Some(cost) => limit.limiter(limiters).check(limit.limit.rule, cost),
    };
    match decision {
        Decision::Allowed(state) => Charged::Allowed {
            states: LimitStates::from_buf([state]),
            taken: Takings::new(),
        },
        Decision::Refused {
            rate_limit,
            retry_after_ms,
        } => Charged::Refused {
            states: LimitStates::from_buf([rate_limit]),
            limited_by: LimitedBy::and(None, 0, retry_after_ms),
        },
    }
}

fn charge_all(
    service: &Service,
    key: &CachedKey,
    context: &VerifyContext<'_>,
    now: Moment,
) -> Charged {
    let limiters = &service.limiters;
    let (mut states, limited_by) = charge_limits(limiters, key, context);
    if let Some(limited_by) = limited_by {
        give_back(limiters, key, context, &mut states[..limited_by.index]);
        return Charged::Refused { states, limited_by };
    }
    match charge_quotas(service, key, context, now) {
        QuotasCharged::Allowed(taken) => {
            if !context.peek {
                share_later(limiters, key, context);
            }
            Charged::Allowed { states, taken }
        }
        QuotasCharged::Refused(refused) => {
            give_back(limiters, key, context, &mut states);
            let limited_by = LimitedBy {
                index: states.len() + refused.index,
                ..refused
            };
            Charged::Refused { states, limited_by }
        }
        QuotasCharged::Unknown => {
            give_back(limiters, key, context, &mut states);
            Charged::Unknown
        }
    }
}

/// Charges all limits up to the first one that the request exceeds.
fn charge_limits(
    limiters: &Limiters,
    key: &CachedKey,
    context: &VerifyContext<'_>,
) -> (LimitStates, Option<LimitedBy>) {
    let mut states = LimitStates::new();
    let mut refused: Option<LimitedBy> = None;
    for (index, limit) in key.limits().enumerate() {
        let Some(cost) = cost_of(&limit, context) else {
            states.push(state_of(limiters, &limit));
            continue;
        };
        let only_look = context.peek || refused.is_some();
        match decide(limiters, &limit, cost, only_look) {
            Decision::Allowed(state) => states.push(state),
            Decision::Refused {
                rate_limit,
                retry_after_ms,
            } => {
                states.push(rate_limit);
                refused = Some(LimitedBy::and(refused, index, retry_after_ms));
            }
        }
    }
    (states, refused)
}

fn decide(limiters: &Limiters, limit: &LimitOfKey<'_>, cost: NonZeroU32, peek: bool) -> Decision {
    let (limiter, rule) = (limit.limiter(limiters), limit.limit.rule);
    if peek {
        limiter.peek(rule, cost)
    } else {
        limiter.charge(rule, cost)
    }
}

enum QuotasCharged {
    Allowed(Takings),
    Refused(LimitedBy),
    Unknown,
}

/// Charges all quotas, or none.
fn charge_quotas(
    service: &Service,
    key: &CachedKey,
    context: &VerifyContext<'_>,
    now: Moment,
) -> QuotasCharged {
    let mut charged = Takings::new();
    let mut low: SmallVec<[QuotaOfKey<'_>; 1]> = SmallVec::new();
    let mut refused: Option<LimitedBy> = None;
    let mut is_unknown = false;
    for (index, quota) in key.quotas().enumerate() {
        let cost = context.costs.of(&quota.quota.name);
        if cost == 0 {
            charged.push(Taken::default());
            continue;
        }
        let lease = quota.lease(&service.leases);
        let answer = if context.peek {
            lease.peek(cost, now)
        } else {
            let (answer, is_low) = lease.charge(cost, now);
            if is_low {
                low.push(quota);
            }
            answer
        };
        let taken = match answer {
            QuotaAnswer::Charged(taken) => taken,
            QuotaAnswer::Exceeded { retry_after_ms } => {
                refused = Some(LimitedBy::and(refused, index, retry_after_ms));
                Taken::default()
            }
            QuotaAnswer::Unknown => {
                is_unknown = true;
                Taken::default()
            }
        };
        charged.push(taken);
    }
    if !is_unknown && refused.is_none() {
        // Not before: what is given back was not used.
        for quota in low {
            service.leases.request(quota.lease(&service.leases));
        }
        return QuotasCharged::Allowed(charged);
    }
    for (quota, taken) in key.quotas().zip(&charged) {
        quota.lease(&service.leases).give_back(taken);
    }
    match refused {
        Some(refused) if !is_unknown => QuotasCharged::Refused(refused),
        _ => QuotasCharged::Unknown,
    }
}

/// Tells the other processes with the next flush what was charged.
fn share_later(limiters: &Limiters, key: &CachedKey, context: &VerifyContext<'_>) {
    for limit in key.limits() {
        if let Some(cost) = cost_of(&limit, context) {
            limit.limiter(limiters).share_later(limit.limit.rule, cost);
        }
    }
}

/// Gives back what was charged of the first limits, because the request is refused.
fn give_back(
    limiters: &Limiters,
    key: &CachedKey,
    context: &VerifyContext<'_>,
    states: &mut [RateLimit],
) {
    if context.peek {
        return;
    }
    for (limit, state) in key.limits().zip(states) {
        if let Some(cost) = cost_of(&limit, context) {
            limit.limiter(limiters).give_back(limit.limit.rule, cost);
            *state = state_of(limiters, &limit);
        }
    }
}

/// `None` if the request costs nothing of the limit: it passes even where nothing is left.
fn cost_of(limit: &LimitOfKey<'_>, context: &VerifyContext<'_>) -> Option<NonZeroU32> {
    NonZeroU32::new(context.costs.of(&limit.limit.name))
}

fn state_of(limiters: &Limiters, limit: &LimitOfKey<'_>) -> RateLimit {
    limit.limiter(limiters).state(limit.limit.rule)
}
