//! Revokes a key for whoever presents it.

use std::sync::Arc;
use std::time::Instant;

use super::attempt::{note_refusal, without_keys};
use super::authenticate::{PresentedKey, authenticate};
use super::context::VerifyContext;
use super::memory::{Recalled, recall};
use super::verification::RefusedKey;
use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::events::RequestOrigin;
use crate::keys;
use crate::model::{Actor, Escaped, Plaintext, Refusal, Revocation, RevocationReason};
use crate::service::Service;

/// Revokes the presented key as compromised, and returns whether it is. A text that is no key counts as in a verify.
pub async fn revoke_presented(
    service: &Arc<Service>,
    key: &Plaintext,
    context: &VerifyContext<'_>,
) -> Result<bool, Error> {
    let refused = match authenticated(service, key, context).await? {
        Ok(entry) => match revoke(service, entry, None, origin_of(service, key, context)).await? {
            Ok(()) => return Ok(true),
            Err(refused) => refused,
        },
        Err(refused) => refused,
    };
    let claims = || context.claims.clone();
    note_refusal(
        service,
        key.expose(),
        &refused,
        context.ip,
        claims,
        service.now(),
    );
    match refused.retry_after_ms {
        // The address is throttled.
        Some(retry_after_ms) => Err(Error::Throttled { retry_after_ms }),
        None => Ok(refused.refusal == Refusal::Revoked),
    }
}

fn origin_of(service: &Service, key: &Plaintext, context: &VerifyContext<'_>) -> RequestOrigin {
    let claims = without_keys(service, key.expose(), context.claims.clone());
    RequestOrigin {
        ip: context.ip,
        claimed_ip: claims.ip,
        path: claims.path.as_deref().map(Escaped::new),
    }
}

/// The key that is presented. What else a verify would refuse it for does not matter: whoever holds it could use it as soon as that
/// has passed.
pub(super) async fn authenticated(
    service: &Arc<Service>,
    key: &Plaintext,
    context: &VerifyContext<'_>,
) -> Result<Result<Arc<KeyEntry>, RefusedKey>, Error> {
    let entry = match recall(service, key.expose(), context, service.moment()) {
        Recalled::Current(entry) => Some(entry),
        Recalled::Refused { refused, .. } => return Ok(Err(refused)),
        Recalled::Unknown(unknown) => {
            let entry = authenticate(service, PresentedKey::of(&unknown, key)).await?;
            if entry.is_none() {
                service.throttle.count(context.ip, Instant::now());
            }
            entry
        }
    };
    let now = service.now();
    let entry = entry.filter(|entry| !entry.value.policy.is_replaced(now));
    Ok(entry.ok_or_else(RefusedKey::invalid))
}

/// Revokes the key as compromised, unless that has been done. Otherwise whoever holds a compromised key could keep the database busy with it, and
/// fill the audit log.
pub(super) async fn revoke(
    service: &Service,
    entry: Arc<KeyEntry>,
    actor: Option<Actor>,
    request: RequestOrigin,
) -> Result<Result<(), RefusedKey>, Error> {
    let policy = &entry.value.policy;
    if policy.is_compromised {
        return Ok(Err(RefusedKey::of_entry(Refusal::Revoked, entry, None)));
    }
    let revocation = Revocation {
        key_id: policy.key_id.to_string(),
        reason: Some(RevocationReason::Compromised),
        note: None,
        client_id: None,
    };
    match keys::revoke(service, &revocation, actor, request, service.now()).await {
        Ok(_) => Ok(Ok(())),
        // Deleted since.
        Err(Error::NotFound(_)) => Ok(Err(RefusedKey::invalid())),
        Err(error) => Err(error),
    }
}
