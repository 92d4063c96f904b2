//! Refused attempts, for operators and the audit log.

use std::net::IpAddr;

use super::verification::RefusedKey;
use crate::audit::{Attempt, Claims, CredentialKind};
use crate::model::{Refusal, Timestamp};
use crate::service::Service;

/// The hint given if a key with an allow-list is refused because the client's address is unknown.
const ADDRESS_UNKNOWN: &str = "The client's address is unknown: declare your proxies with trustedProxies or trustedHops \
     (API_KEYS_TRUSTED_PROXIES, API_KEYS_TRUSTED_HOPS), or pass the address as `ip`";

/// Counts a refused attempt, for operators and the audit log.
pub(super) fn note_refusal(
    service: &Service,
    key: &str,
    refused: &RefusedKey,
    ip: Option<IpAddr>,
    claims: impl FnOnce() -> Claims,
    now: Timestamp,
) {
    let policy = refused.entry.as_ref().map(|entry| &entry.value.policy);
    let lookup = match (policy, refused.refusal) {
        // A throttled flood is one group, whatever keys it presents.
        (Some(_), _) | (None, Refusal::Throttled) => None,
        (None, _) => service.tokens.public_part(key),
    };
    let limit = refused.entry.as_ref().zip(refused.limited_by);
    let limit = limit.and_then(|(entry, index)| entry.value.limit_name(index));
    let attempt = Attempt {
        credential: CredentialKind::Key,
        reason: refused.refusal.code(),
        key_id: policy.map(|policy| &*policy.key_id),
        name: policy.map(|policy| &*policy.name),
        client_id: policy.map(|policy| &*policy.client_id),
        token_id: None,
        lookup,
        ip,
        limited_by: limit,
        hint: (refused.refusal == Refusal::IpNotAllowed && ip.is_none()).then_some(ADDRESS_UNKNOWN),
    };
    let claims = || without_keys(service, key, claims());
    service.audit.refuse(&attempt, claims, now);
}

/// What a request claims, without the key: some apps have it in the path.
pub(super) fn without_keys(service: &Service, key: &str, claims: Claims) -> Claims {
    let path = claims.path.map(|path| service.tokens.redact(&path, key));
    Claims { path, ..claims }
}
