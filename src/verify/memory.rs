//! Answers a verify from memory alone, where possible: no I/O, no task, no lock held across work.

use std::sync::Arc;
use std::time::Instant;

use super::context::VerifyContext;
use super::current::find;
use super::decide::{Decided, decide};
use super::verification::{RefusedKey, Verification};
use crate::cache::{CacheKey, CacheLookup};
use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::hash::is_stored_hash;
use crate::jwt::kid_of;
use crate::legacy;
use crate::model::{KeyClass, Moment, Refusal, Timestamp};
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
    Unknown(UnknownKey<'a>),
}

/// What memory knows about a presented key, before anything is decided about it.
pub(super) enum Recalled<'a> {
    /// It is authenticated, and its row is current.
    Current(Arc<KeyEntry>),
    Refused {
        refused: RefusedKey,
        /// As in [`MemoryAnswer::Answered`].
        in_cache: bool,
    },
    Unknown(UnknownKey<'a>),
}

/// A key that must be authenticated, or its row read again.
pub(super) struct UnknownKey<'a> {
    pub(super) key: CacheKey,
    pub(super) lookup: KeyLookup<&'a str>,
    pub(super) is_stale: bool,
}

/// The way to find the row of a presented key.
#[derive(Clone)]
pub(super) enum KeyLookup<T> {
    /// By the public id contained in a key that this package issued.
    Issued(T, KeyClass),
    /// By the digest of a legacy key, whether or not its row has been hashed since.
    Legacy,
    /// By the id of the key that a token was derived from. It says which token key has signed it.
    Token(Box<str>),
}

impl<T> KeyLookup<T> {
    /// An adopted key says nothing of its kind and its environment, which are the first ones. Those of a token are known with its key.
    pub(super) fn class(&self) -> KeyClass {
        match self {
            Self::Issued(_, class) => *class,
            Self::Legacy | Self::Token(_) => KeyClass::default(),
        }
    }
}

impl KeyLookup<&str> {
    pub(super) fn to_owned(&self) -> KeyLookup<Box<str>> {
        match self {
            Self::Issued(lookup, class) => KeyLookup::Issued((*lookup).into(), *class),
            Self::Legacy => KeyLookup::Legacy,
            Self::Token(kid) => KeyLookup::Token(kid.clone()),
        }
    }
}

pub(super) fn answer<'a>(
    service: &'a Service,
    presented: &'a str,
    context: &VerifyContext<'_>,
    now: Timestamp,
) -> Result<MemoryAnswer<'a>, Error> {
    let moment = Moment {
        instant: Instant::now(),
        time: now,
    };
    context.require_known_kinds(&service.config.kinds)?;
    Ok(match recall(service, presented, context, moment) {
        Recalled::Current(entry) => match decide(service, entry, context, moment)? {
            Decided::Answer(verification) => MemoryAnswer::Answered {
                verification,
                in_cache: true,
            },
            Decided::NeedsLease(entry) => MemoryAnswer::NeedsLease(entry),
        },
        Recalled::Refused { refused, in_cache } => MemoryAnswer::Answered {
            verification: Verification::Refused(refused),
            in_cache,
        },
        Recalled::Unknown(unknown) => MemoryAnswer::Unknown(unknown),
    })
}

/// Looks up a presented key in memory. A wrong one counts for its address, unless the caller only peeks.
pub(super) fn recall<'a>(
    service: &'a Service,
    presented: &'a str,
    context: &VerifyContext<'_>,
    moment: Moment,
) -> Recalled<'a> {
    let (key, at) = (service.cache.key(presented), moment.instant);
    let wrong = |in_cache| Recalled::Refused {
        refused: wrong(service, context, at),
        in_cache,
    };
    let is_stale = match find(service, &key, moment) {
        CacheLookup::Current(entry) => return Recalled::Current(entry),
        // A key of ours that is of another kind gets the same answer, whether or not it was presented elsewhere before.
        CacheLookup::Refused if !context.is_selective() => return wrong(true),
        CacheLookup::Refused => match lookup(service, presented) {
            Some(found) if class_refusal(service, context, &found).is_some() => false,
            _ => return wrong(true),
        },
        CacheLookup::Stale(_) => true,
        CacheLookup::Miss => false,
    };
    let Some(lookup) = lookup(service, presented) else {
        // Malformed and forged keys end here. Only the counter of their address changes.
        return wrong(false);
    };
    if let Some(refusal) = class_refusal(service, context, &lookup) {
        return Recalled::Refused {
            refused: RefusedKey::of_class(refusal),
            in_cache: false,
        };
    }
    if !is_stale
        && matches!(lookup, KeyLookup::Legacy)
        && legacy::are_known_to_be_absent(service, moment)
    {
        return wrong(false);
    }
    // A key that was authenticated before is not a guess, so it is never throttled.
    if !is_stale && let Some(wait_ms) = service.throttle.wait_ms(context.ip, at) {
        return Recalled::Refused {
            refused: RefusedKey::throttled(wait_ms),
            in_cache: false,
        };
    }
    Recalled::Unknown(UnknownKey {
        key,
        lookup,
        is_stale,
    })
}

/// The refusal of an issued key by what its prefix says, before anything is asked of the database.
fn class_refusal(
    service: &Service,
    context: &VerifyContext<'_>,
    lookup: &KeyLookup<&str>,
) -> Option<Refusal> {
    match lookup {
        KeyLookup::Issued(_, class) => context.refusal_of_class(&service.config.kinds, *class),
        KeyLookup::Legacy | KeyLookup::Token(_) => None,
    }
}

/// The answer to a key that is known to be wrong. A throttled address gets the same answer for every key, so that it
/// learns nothing about this one.
fn wrong(service: &Service, context: &VerifyContext<'_>, at: Instant) -> RefusedKey {
    let throttle = &service.throttle;
    let wait_ms = if context.peek {
        throttle.wait_ms(context.ip, at)
    } else {
        throttle.count_or_wait_ms(context.ip, at)
    };
    wait_ms.map_or_else(RefusedKey::invalid, RefusedKey::throttled)
}

/// Determines how to find the row of a string that may be a key: one with the shape, checksum and tag of an issued key,
/// or a legacy key; or a token by its form. A stored hash is never accepted as a key, whatever has become of its row.
fn lookup<'a>(service: &'a Service, presented: &'a str) -> Option<KeyLookup<&'a str>> {
    if presented.len() > super::KEY_LENGTH_MAX {
        return kid_of(presented).map(KeyLookup::Token);
    }
    match service.tokens.parse(presented)? {
        ParsedKey::Issued { lookup, class, .. } => Some(KeyLookup::Issued(lookup, class)),
        ParsedKey::Legacy => (!is_stored_hash(presented)).then_some(KeyLookup::Legacy),
    }
}
