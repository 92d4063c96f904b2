//! Tokens that were derived from keys, and the keys that they stand for.

use std::sync::Arc;

use super::row::{FoundRow, RowQuery};
use super::scopes::effective_scopes;
use super::verification::RefusedKey;
use crate::cache::Sequence;
use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::jwt::{DerivedClaims, verify_derived};
use crate::model::{EffectiveScopes, KeyClass, Plaintext, Refusal, Timestamp};
use crate::service::Service;
use crate::store::{ParentLookup, Share};

/// How often a row is looked up by its id: its key may be replaced in between.
const TRIES: usize = 3;
/// Tokens live a day at most. What ends later was not signed by this package, even if by one of its keys; an hour is for clocks.
const LIFE_MAX_MS: u64 = 25 * 3_600_000;

/// What a token says that one of the token keys has signed; `None` for any other string, and once that key was deleted. One that was
/// proved before is not proved again.
pub(super) async fn proved(
    service: &Service,
    kid: &str,
    token: &Plaintext,
    before: Option<Arc<DerivedClaims>>,
) -> Result<Option<Arc<DerivedClaims>>, Error> {
    let (keys, store) = (&service.token_keys, &service.store);
    if let Some(claims) = before {
        return Ok(keys.is_still_known(store, kid).await.then_some(claims));
    }
    let Some(key) = keys.find(store, kid).await? else {
        return Ok(None);
    };
    // Forged tokens end here. A key that was deleted must not sign for ever.
    let Some(claims) = verify_derived(token.expose(), &key) else {
        return Ok(None);
    };
    let is_ours = claims.expires_at.millis_after(service.now()) <= LIFE_MAX_MS;
    let is_known = is_ours && keys.is_still_known(store, kid).await;
    Ok(is_known.then(|| Arc::new(claims)))
}

/// The row of a key that is known by its id, and from which position in the sequence of changes on it was read, or was not there.
pub(super) struct ParentRow {
    pub(super) found: Option<FoundRow>,
    /// Its kind and environment. That of another environment than those of this process is not found.
    pub(super) class: KeyClass,
    pub(super) read_at: Sequence,
}

impl ParentRow {
    pub(super) fn none(service: &Service) -> Self {
        Self {
            found: None,
            class: KeyClass::default(),
            read_at: service.cache.sequence(),
        }
    }
}

pub(super) async fn parent_row(service: &Service, key_id: &str) -> Result<ParentRow, Error> {
    let mut row = ParentRow::none(service);
    for _ in 0..TRIES {
        row = ParentRow::none(service);
        let Some((lookup, start)) = service.store.lookup_of_key(key_id).await? else {
            break;
        };
        let class = service.tokens.format().class_of(start.as_deref());
        if !service.config.environments.contain(class.environment) {
            break;
        }
        let query = match lookup {
            ParentLookup::Lookup(lookup) => RowQuery {
                lookup: lookup.into(),
                digest: None,
            },
            ParentLookup::Plaintext(digest) => RowQuery {
                lookup: digest.lookup().into(),
                digest: Some(digest),
            },
        };
        let (found, read_at) = query.read(service, Share::Lookup).await?;
        let is_its = |found: &FoundRow| {
            let policy = &found.candidate.policy;
            *policy.key_id == *key_id && policy.grace_ends_at.is_none()
        };
        row = ParentRow {
            found: found.filter(is_its),
            class,
            read_at,
        };
        if row.found.is_some() {
            break;
        }
    }
    Ok(row)
}

/// What a token must stay within that is derived from a key.
pub struct Parent {
    pub key_id: Arc<str>,
    pub client_id: Box<str>,
    pub scopes: EffectiveScopes,
    /// `None`: it never ends.
    pub ends_at: Option<Timestamp>,
}

impl Parent {
    /// The key of an entry; `None` if the entry is that of a token.
    #[must_use]
    pub fn of_entry(entry: &KeyEntry) -> Option<Self> {
        let policy = &entry.value.policy;
        let ends = policy.expires_at.into_iter().chain(policy.grace_ends_at);
        entry.value.token.is_none().then(|| Self {
            key_id: Arc::clone(&policy.key_id),
            client_id: policy.client_id.clone(),
            scopes: policy.scopes.clone(),
            ends_at: ends.min(),
        })
    }
}

/// The key of this id and number, which was verified before, as it is now; or why it may not be used now: it was replaced since, for
/// example. What depends on the request was checked then.
pub async fn parent_of(
    service: &Service,
    key_id: &str,
    key_number: i64,
) -> Result<Result<Parent, RefusedKey>, Error> {
    let row = parent_row(service, key_id).await?;
    let is_it = |found: &FoundRow| found.candidate.key_number == key_number;
    let Some(found) = row.found.filter(is_it) else {
        return Ok(Err(RefusedKey::invalid()));
    };
    let (policy, now) = (found.candidate.policy, service.moment());
    let own = &found.row.shared;
    let suspended_until = policy.suspended_until.max(own.suspended_until());
    let suspended_until = suspended_until.and_then(|until| own.end_of(until, now.time));
    let rule = found.candidate.idleness.rule(service.config.max_idle_days);
    let is_idle = rule.is_some_and(|rule| rule.is_idle(found.row.last_use(), now.instant));
    let clients = found.client.policies();
    let checked = policy.check_state(now.time, is_idle, suspended_until, clients);
    let kind = service.config.kinds.of(row.class);
    Ok(match checked {
        Ok(()) => Ok(Parent {
            key_id: policy.key_id,
            client_id: policy.client_id,
            scopes: effective_scopes(service, kind, &policy.scopes, &found.roles),
            ends_at: policy.expires_at,
        }),
        Err(refusal) => {
            let until = suspended_until.filter(|_| refusal == Refusal::Suspended);
            let wait_ms = until.map(|until| until.millis_after(now.time));
            Err(RefusedKey::bare(refusal, wait_ms))
        }
    })
}
