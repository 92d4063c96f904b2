//! A refusal, and what is remembered of it.

use std::sync::Arc;

use super::{Context, Entry, Verification};
use crate::audit::{Attempt, Of};
use crate::limit::RateLimit;
use crate::model::{Refusal, Timestamp};
use crate::service::Service;

pub struct Refused {
    pub refusal: Refusal,
    /// Known only where the key itself was right.
    pub entry: Option<Arc<Entry>>,
    pub retry_after_ms: Option<u64>,
    pub rate_limit: Option<RateLimit>,
}

impl Refused {
    /// Nothing is said of any key.
    pub(super) fn invalid_key() -> Verification {
        Verification::Refused(Self {
            refusal: Refusal::InvalidKey,
            entry: None,
            retry_after_ms: None,
            rate_limit: None,
        })
    }

    pub(super) fn of(
        refusal: Refusal,
        entry: Arc<Entry>,
        retry_after_ms: Option<u64>,
        rate_limit: Option<RateLimit>,
    ) -> Verification {
        // A replaced key beyond its grace is answered like an unknown one.
        let entry = Some(entry).filter(|_| refusal != Refusal::InvalidKey);
        Verification::Refused(Self {
            refusal,
            entry,
            retry_after_ms,
            rate_limit,
        })
    }

    /// Nor here: the key was not looked up.
    pub(super) fn throttled(wait_ms: u64) -> Verification {
        Verification::Refused(Self {
            refusal: Refusal::Throttled,
            entry: None,
            retry_after_ms: Some(wait_ms),
            rate_limit: None,
        })
    }
}

/// What to do where a key with an allow-list is refused because nobody knows who asks.
const ADDRESS_UNKNOWN: &str = "The client's address is unknown: declare your proxies with trustedProxies or \
    trustedHops (API_KEYS_TRUSTED_PROXIES, API_KEYS_TRUSTED_HOPS), or pass the address as `ip`";

/// Counts a refused attempt, for operators and the audit log. Who asks [`warm`] does so for its refusals, once the path
/// is known.
pub fn note_refusal(
    service: &Service,
    key: &str,
    refused: &Refused,
    context: &Context<'_>,
    now: Timestamp,
) {
    let grant = refused.entry.as_ref().map(|entry| &entry.value.grant);
    let lookup = match (grant, refused.refusal) {
        // A throttled flood is one kind, whatever it presents.
        (Some(_), _) | (None, Refusal::Throttled) => None,
        (None, _) => service.tokens.public_part(key),
    };
    let attempt = Attempt {
        of: Of::Key,
        reason: refused.refusal.code(),
        key_id: grant.map(|grant| &*grant.key_id),
        name: grant.map(|grant| &*grant.name),
        client_id: grant.map(|grant| &*grant.client_id),
        token_id: None,
        lookup,
        ip: context.ip,
        claimed_ip: context.claimed_ip,
        path: context.path.as_deref(),
        hint: (refused.refusal == Refusal::IpNotAllowed && context.ip.is_none())
            .then_some(ADDRESS_UNKNOWN),
    };
    service.audit.refuse(&attempt, now);
}
