//! Authenticates a key that is not in memory, by its row and the hash stored there.

use std::sync::Arc;
use std::time::Instant;

use super::current::{find, is_current, with_current_client};
use super::fleet::{begin_where_others_are, note_read};
use super::imported::find_imported;
use super::memory::{KeyLookup, UnknownKey};
use super::preloaded::preloaded;
use super::prove::{is_right, prove_nothing};
use super::row::{FoundRow, RowQuery};
use super::scopes::effective_scopes;
use super::token::{ParentRow, parent_row, proved};
use crate::cache::{CacheKey, CacheLookup};
use crate::cached_key::{Authentication, CachedKey, KeyEntry, KeyRow};
use crate::error::Error;
use crate::hash::is_imported;
use crate::jwt::DerivedClaims;
use crate::legacy;
use crate::model::{Escaped, KeyClass, KeyPolicy, Plaintext};
use crate::service::Service;
use crate::store::{Share, StoredKey};

/// A presented key that is not authenticated yet.
#[derive(Clone)]
pub(super) struct PresentedKey {
    pub(super) cache_key: CacheKey,
    pub(super) lookup: KeyLookup<Box<str>>,
    pub(super) key: Plaintext,
}

impl PresentedKey {
    pub(super) fn of(unknown: &UnknownKey<'_>, key: &Plaintext) -> Self {
        Self {
            cache_key: unknown.key,
            lookup: unknown.lookup.to_owned(),
            key: key.clone(),
        }
    }
}

/// Maximum number of attempts to get a current answer. If the row keeps changing, the answer read last is used.
const TRIES: usize = 5;

/// Authenticates a key that memory cannot answer for. Concurrent callers with the same key share one flight, but a
/// caller that arrives after a change never gets an answer from before it.
pub(super) async fn authenticate(
    service: &Arc<Service>,
    presented: PresentedKey,
) -> Result<Option<Arc<KeyEntry>>, Error> {
    for _ in 1..TRIES {
        let (asked_at, asked) = (service.cache.sequence(), Instant::now());
        let outcome = join(service, &presented).await?;
        let is_unchanged = match &outcome.entry {
            Some(entry) => is_current(service, entry),
            None => outcome.read_at >= asked_at,
        };
        // A flight may have been frozen with the process, and changes from meanwhile are not known yet.
        let is_known = outcome.began >= asked || service.cache.is_trusted(service.moment());
        if is_unchanged && is_known {
            return Ok(outcome.entry);
        }
    }
    Ok(join(service, &presented).await?.entry)
}

/// Joins the flight of this key, or begins one. A flight that would wait too long for its hash is rejected before it
/// costs anything.
async fn join(service: &Arc<Service>, presented: &PresentedKey) -> Result<Authentication, Error> {
    let begin = || {
        let reservation = may_hash(service, presented)
            .then(|| service.hasher.reserve())
            .transpose()?;
        let (service, presented) = (Arc::clone(service), presented.clone());
        Ok(async move {
            let _reservation = reservation;
            run(&service, presented).await
        })
    };
    service.flights.run(presented.cache_key, begin).await
}

/// Whether the flight may need a hash. It does not for a key that was authenticated before, whose row is only read
/// again, nor where cold digests decide. A legacy key reserves none: anyone can make up such a string, and only the row
/// shows whether it is a key.
fn may_hash(service: &Service, presented: &PresentedKey) -> bool {
    let is_known = matches!(
        find(service, &presented.cache_key, service.moment()),
        CacheLookup::Stale(_) | CacheLookup::Current(_)
    );
    let is_issued = matches!(presented.lookup, KeyLookup::Issued(..));
    is_issued && !is_known && service.cold_digests.is_hash_likely()
}

/// Runs one flight: one statement, and a hash only if the key was not authenticated before.
async fn run(service: &Arc<Service>, presented: PresentedKey) -> Result<Authentication, Error> {
    let PresentedKey {
        cache_key,
        lookup,
        key,
    } = presented;
    let began = Instant::now();
    let known = match find(service, &cache_key, service.moment()) {
        // Another flight has finished since the first cache lookup.
        CacheLookup::Current(entry) => {
            return Ok(Authentication {
                read_at: entry.read_at(),
                entry: Some(entry),
                began,
            });
        }
        CacheLookup::Stale(entry) => {
            if let Some(entry) = with_current_client(service, cache_key, &entry).await? {
                return Ok(Authentication {
                    read_at: entry.read_at(),
                    entry: Some(entry),
                    began,
                });
            }
            Some(entry)
        }
        CacheLookup::Refused | CacheLookup::Miss => None,
    };
    if let KeyLookup::Token(kid) = &lookup {
        return run_token(service, cache_key, kid, &key, known.as_ref(), began).await;
    }
    let query = RowQuery::of(&lookup, &key);
    let loaded = known
        .is_none()
        .then(|| preloaded(service, &query.lookup))
        .flatten();
    let is_unknown_legacy =
        known.is_none() && loaded.is_none() && matches!(lookup, KeyLookup::Legacy);
    if is_unknown_legacy {
        let read_at = service.cache.sequence();
        if !legacy::any_legacy_key(service).await? {
            return Ok(Authentication {
                entry: None,
                read_at,
                began,
            });
        }
    }
    let share = if is_unknown_legacy {
        Share::Legacy
    } else {
        Share::Lookup
    };
    let (found, read_at) = match loaded {
        Some((found, unchanged_at)) => (Some(found), unchanged_at),
        None => query.read(service, share).await?,
    };
    let refuse = || {
        service
            .cache
            .insert_refusal(cache_key, read_at, Instant::now());
        Authentication {
            entry: None,
            read_at,
            began,
        }
    };
    if found.is_none()
        && matches!(lookup, KeyLookup::Legacy)
        && let Some(found) = find_imported(service, &key, known.as_ref()).await?
    {
        let read_at = found.read_at;
        let entry = keep(service, cache_key, lookup.class(), found, None);
        return Ok(Authentication {
            entry: Some(entry),
            read_at,
            began,
        });
    }
    let Some(found) = found else {
        if known.is_none() && matches!(lookup, KeyLookup::Issued(..)) {
            prove_nothing(service, key).await?;
        }
        return Ok(refuse());
    };
    let candidate = &found.candidate;
    if !is_right(service, &key, &query, known.as_ref(), candidate).await? {
        return Ok(refuse());
    }
    if let StoredKey::Plaintext(digest) = &candidate.stored {
        legacy::hash_on_first_use(service, &candidate.policy.key_id, &key, *digest);
    }
    let entry = keep(service, cache_key, lookup.class(), found, None);
    service.preloaded_keys.remove(&query.lookup);
    Ok(Authentication {
        entry: Some(entry),
        read_at,
        began,
    })
}

/// The flight of a token. One that was proved before is not proved again; the row of its key is read again.
async fn run_token(
    service: &Service,
    cache_key: CacheKey,
    kid: &str,
    token: &Plaintext,
    known: Option<&Arc<KeyEntry>>,
    began: Instant,
) -> Result<Authentication, Error> {
    let before = known.and_then(|entry| entry.value.token.clone());
    let claims = proved(service, kid, token, before).await?;
    let ParentRow {
        found,
        class,
        read_at,
    } = match &claims {
        Some(claims) => parent_row(service, &claims.key_id).await?,
        None => ParentRow::none(service),
    };
    let entry = claims.zip(found).map(|(claims, mut found)| {
        let policy = &mut found.candidate.policy;
        let ends = policy.expires_at.into_iter().chain([claims.expires_at]);
        policy.expires_at = ends.min();
        keep(service, cache_key, class, found, Some(claims))
    });
    if entry.is_none() {
        let now = Instant::now();
        service.cache.insert_refusal(cache_key, read_at, now);
    }
    Ok(Authentication {
        entry,
        read_at,
        began,
    })
}

/// Puts an authenticated key into the cache, or a token that stands for it.
fn keep(
    service: &Service,
    cache_key: CacheKey,
    class: KeyClass,
    found: FoundRow,
    token: Option<Arc<DerivedClaims>>,
) -> Arc<KeyEntry> {
    let FoundRow {
        candidate,
        client,
        roles,
        row,
        read_at,
    } = found;
    let mut policy = KeyPolicy {
        key_id: Arc::clone(&row.id),
        class,
        ..candidate.policy
    };
    let kind = service.config.kinds.of(class);
    policy.kind = Arc::clone(&kind.name);
    let scopes = effective_scopes(service, kind, &policy.scopes, &roles);
    policy.scopes = scopes.within(token.as_ref().map(|token| Arc::clone(&token.scopes)));
    let hash = match &candidate.stored {
        // The hash of an imported key is being replaced. That of a previous one stays.
        StoredKey::Hash(hash) if is_imported(hash.as_str()) && policy.grace_ends_at.is_none() => {
            None
        }
        StoredKey::Hash(hash) if token.is_none() => Some(hash),
        _ => None,
    };
    let counted = Escaped::new(&policy.client_id);
    let uses = service
        .metrics
        .clients
        .uses_of(counted.as_str(), service.config.metrics_clients);
    let window = service.config.rate_limit_window;
    let stored = KeyRow {
        key_number: candidate.key_number,
        idle: candidate.idleness.rule(service.config.max_idle_days),
        token,
    };
    let key = CachedKey::new(policy, &stored, client, roles, hash, uses, window);
    let bytes = key.bytes();
    // Before the entry is cached, so that every decision knows of it.
    begin_where_others_are(service, key.limits(), &candidate.fleet);
    let entry = service.cache.insert(cache_key, key, bytes, row, read_at);
    if is_current(service, &entry) {
        note_read(service, entry.value.limits());
    }
    entry
}
