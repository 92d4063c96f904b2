//! Charges the limits of a key and of the clients above it: all of them, or none.

use std::num::NonZeroU32;

use super::context::VerifyContext;
use super::verification::{LimitStates, LimitedBy};
use crate::cached_key::CachedKey;
use crate::cached_limits::LimitOfKey;
use crate::model::RateLimit;
use crate::rate_limit::{Decision, Limiters};

/// The limits after a request.
pub(super) struct Charged {
    pub(super) states: LimitStates,
    /// The first limit that the request exceeds. Then none is charged.
    pub(super) refused: Option<LimitedBy>,
}

pub(super) fn charge(limiters: &Limiters, key: &CachedKey, context: &VerifyContext<'_>) -> Charged {
    // Nobody else uses the only limit of a key.
    let _together = key.has_several_limits().then(|| limiters.together());
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
    if !context.peek {
        match &refused {
            None => share_later(limiters, key, context),
            Some(refused) => give_back(limiters, key, context, &mut states[..refused.index]),
        }
    }
    Charged { states, refused }
}

fn decide(limiters: &Limiters, limit: &LimitOfKey<'_>, cost: NonZeroU32, peek: bool) -> Decision {
    let (limiter, rule) = (limit.limiter(limiters), limit.limit.rule);
    if peek {
        limiter.peek(rule, cost)
    } else {
        limiter.charge(rule, cost)
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

/// Gives back what was charged of the first limits, because a later one refuses the request.
fn give_back(
    limiters: &Limiters,
    key: &CachedKey,
    context: &VerifyContext<'_>,
    states: &mut [RateLimit],
) {
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
