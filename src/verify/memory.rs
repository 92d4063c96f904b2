//! Answers a verify from memory alone, where possible: no I/O, no task, no lock held across work.

use std::sync::Arc;
use std::time::Instant;

use super::context::VerifyContext;
use super::current::find;
use super::decide::{Decided, decide};
use super::verification::Verification;
use crate::cache::{CacheKey, CacheLookup};
use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::hash::is_stored_hash;
use crate::legacy;
use crate::model::{Moment, Timestamp};
use crate::service::Service;
use crate::token::ParsedKey;

/// The answer to a presented key from memory.
pub(super) enum MemoryAnswer<'a> {
    Answered {
        verification: Verification,
        /// Whether the cache had the answer. Otherwise the key is malformed or forged, or its address is throttled.
        in_cache: bool,
    },
    /// The process must lease units of a quota of this key first.
    NeedsLease(Arc<KeyEntry>),
    /// The key must be authenticated, or its row read again.
    Unknown {
        key: CacheKey,
        lookup: KeyLookup<&'a str>,
        is_stale: bool,
    },
}

/// The way to find the row of a presented key.
#[derive(Clone)]
pub(super) enum KeyLookup<T> {
    /// By the public id contained in a key that this package issued.
    Issued(T),
    /// By the digest of a legacy key, whether or not its row has been hashed since.
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
) -> Result<MemoryAnswer<'a>, Error> {
    let key = service.cache.key(presented);
    let at = Instant::now();
    let moment = Moment {
        instant: at,
        time: now,
    };
    let answered = |verification, in_cache| MemoryAnswer::Answered {
        verification,
        in_cache,
    };
    let is_stale = match find(service, &key, moment) {
        CacheLookup::Current(entry) => {
            return Ok(match decide(service, entry, context, moment)? {
                Decided::Answer(verification) => answered(verification, true),
                Decided::NeedsLease(entry) => MemoryAnswer::NeedsLease(entry),
            });
        }
        CacheLookup::Refused => return Ok(answered(wrong(service, context, at), true)),
        CacheLookup::Stale(_) => true,
        CacheLookup::Miss => false,
    };
    let Some(lookup) = lookup(service, presented) else {
        // Malformed and forged keys end here. Only the counter of their address changes.
        return Ok(answered(wrong(service, context, at), false));
    };
    if !is_stale
        && matches!(lookup, KeyLookup::Legacy)
        && legacy::are_known_to_be_absent(service, moment)
    {
        return Ok(answered(wrong(service, context, at), false));
    }
    // A key that was authenticated before is not a guess, so it is never throttled.
    if !is_stale && let Some(refused) = throttled(service, context, at) {
        return Ok(answered(refused, false));
    }
    Ok(MemoryAnswer::Unknown {
        key,
        lookup,
        is_stale,
    })
}

/// The answer to a key that is known to be wrong. A throttled address gets the same answer for every key, so that it
/// learns nothing about this one.
fn wrong(service: &Service, context: &VerifyContext<'_>, at: Instant) -> Verification {
    let throttle = &service.throttle;
    let wait_ms = if context.peek {
        throttle.wait_ms(context.ip, at)
    } else {
        throttle.count_or_wait_ms(context.ip, at)
    };
    wait_ms.map_or_else(Verification::invalid_key, Verification::throttled)
}

/// The refusal of any key that is not in memory, if its address keeps presenting wrong keys.
fn throttled(service: &Service, context: &VerifyContext<'_>, at: Instant) -> Option<Verification> {
    let wait_ms = service.throttle.wait_ms(context.ip, at)?;
    Some(Verification::throttled(wait_ms))
}

/// Determines how to find the row of a string that may be a key: one with the shape, checksum and tag of an issued key,
/// or a legacy key. A stored hash is never accepted as a key, whatever has become of its row.
fn lookup<'a>(service: &'a Service, presented: &'a str) -> Option<KeyLookup<&'a str>> {
    match service.tokens.parse(presented)? {
        ParsedKey::Issued { lookup, .. } => Some(KeyLookup::Issued(lookup)),
        ParsedKey::Legacy => (!is_stored_hash(presented)).then_some(KeyLookup::Legacy),
    }
}
