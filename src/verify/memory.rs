//! The answer of memory alone, if it has one: no I/O, no task, no lock held across work.

use std::time::Instant;

use super::context::VerifyContext;
use super::decide::decide;
use super::verification::Verification;
use crate::cache::{CacheKey, CacheLookup};
use crate::hash::is_stored_hash;
use crate::model::Timestamp;
use crate::service::Service;
use crate::token::ParsedKey;

/// The answer of memory to a presented key.
pub(super) enum MemoryAnswer<'a> {
    Answered {
        verification: Verification,
        /// Found in the cache; else it is junk, or its address is throttled.
        in_cache: bool,
    },
    /// It has to be authenticated, or its row read again.
    Unknown {
        key: CacheKey,
        lookup: KeyLookup<&'a str>,
        is_stale: bool,
    },
}

/// How the row of a presented key is found.
#[derive(Clone)]
pub(super) enum KeyLookup<T> {
    /// By the public id in a key that was issued here.
    Issued(T),
    /// By the digest of a legacy key, whether or not its row was hashed since.
    Legacy,
}

impl KeyLookup<&str> {
    pub(super) fn to_owned(&self) -> KeyLookup<Box<str>> {
        match *self {
            Self::Issued(lookup) => KeyLookup::Issued(lookup.into()),
            Self::Legacy => KeyLookup::Legacy,
        }
    }
}

pub(super) fn answer<'a>(
    service: &'a Service,
    presented: &'a str,
    context: &VerifyContext<'_>,
    now: Timestamp,
) -> MemoryAnswer<'a> {
    let key = service.cache.key(presented);
    let at = Instant::now();
    let answered = |verification, in_cache| MemoryAnswer::Answered {
        verification,
        in_cache,
    };
    let is_stale = match service.cache.find(&key, at) {
        CacheLookup::Current(entry) => return answered(decide(service, entry, context, now), true),
        CacheLookup::Refused => return answered(wrong(service, context, at), true),
        CacheLookup::Stale(_) => true,
        CacheLookup::Miss => false,
    };
    let Some(lookup) = lookup(service, presented) else {
        // Junk and forgeries end here, and leave nothing behind but the count of their address.
        return answered(wrong(service, context, at), false);
    };
    // A key that was authenticated before is not a guess, so it is never throttled.
    if !is_stale && let Some(refused) = throttled(service, context, at) {
        return answered(refused, false);
    }
    MemoryAnswer::Unknown {
        key,
        lookup,
        is_stale,
    }
}

/// The answer to a key that is known to be wrong. To a throttled address it is the same for every key, so that the
/// address learns nothing of this one.
fn wrong(service: &Service, context: &VerifyContext<'_>, at: Instant) -> Verification {
    throttled(service, context, at).unwrap_or_else(|| {
        service.throttle.count(context.ip, at);
        Verification::invalid_key()
    })
}

/// The answer to any key that is not in memory, where its address keeps presenting wrong ones.
fn throttled(service: &Service, context: &VerifyContext<'_>, at: Instant) -> Option<Verification> {
    let wait_ms = service.throttle.wait_ms(context.ip, at)?;
    Some(Verification::throttled(wait_ms))
}

/// How the row of a string is found that may be a key: one with the shape, the checksum and the tag of keys that were
/// issued here, or a legacy one. A stored hash is nobody's key, whatever has become of its row.
fn lookup<'a>(service: &'a Service, presented: &'a str) -> Option<KeyLookup<&'a str>> {
    match service.tokens.parse(presented)? {
        ParsedKey::Issued { lookup, .. } => Some(KeyLookup::Issued(lookup)),
        ParsedKey::Legacy => (!is_stored_hash(presented)).then_some(KeyLookup::Legacy),
    }
}
