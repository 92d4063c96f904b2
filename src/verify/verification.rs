//! The answer to a presented key. A refusal is a value; only faults are errors.

use std::sync::Arc;

use smallvec::SmallVec;

pub use crate::cached_key::KeyEntry;
pub use crate::cached_limits::LimitOfKey;
pub use crate::cached_quotas::QuotaOfKey;
use crate::model::{RateLimit, Refusal, VALID};

pub enum Verification {
    Valid {
        entry: Arc<KeyEntry>,
        limits: LimitStates,
        /// The handle for `settle`; `None` if there is nothing to settle.
        charge: Option<String>,
    },
    Refused(RefusedKey),
}

pub struct RefusedKey {
    pub refusal: Refusal,
    /// Whether it has expired because it was not used for too long.
    pub is_idle: bool,
    /// The scopes that are asked for and not held, one per line, if the key is refused for them.
    pub missing_scopes: Option<String>,
    /// Present only if the key itself was correct.
    pub entry: Option<Arc<KeyEntry>>,
    pub retry_after_ms: Option<u64>,
    /// Present if a limit or quota refuses the key.
    pub limits: LimitStates,
    /// Which one it is, see [`CachedKey::limit_name`](crate::cached_key::CachedKey::limit_name).
    pub limited_by: Option<usize>,
}

/// The limits of a key and the clients above it, in their order. Most keys have one at most.
pub type LimitStates = SmallVec<[RateLimit; 1]>;

/// The limit or quota that refuses a request, by its position among those of the key.
pub(super) struct LimitedBy {
    pub(super) index: usize,
    /// Whether the request would be within this limit later.
    pub(super) is_temporary: bool,
    /// Milliseconds until the same request would be within all limits; `None` if it never would.
    pub(super) retry_after_ms: Option<u64>,
}

impl LimitedBy {
    /// The first limit that refuses, and when none of them would any more.
    pub(super) fn and(first: Option<Self>, index: usize, retry_after_ms: Option<u64>) -> Self {
        match first {
            None => Self {
                index,
                is_temporary: retry_after_ms.is_some(),
                retry_after_ms,
            },
            Some(first) => Self {
                retry_after_ms: first
                    .retry_after_ms
                    .zip(retry_after_ms)
                    .map(|(one, next)| one.max(next)),
                ..first
            },
        }
    }
}

/// The limit of which the least is left.
#[must_use]
pub fn tightest(limits: &[RateLimit]) -> Option<RateLimit> {
    limits.iter().min_by_key(|limit| limit.remaining).copied()
}

impl Verification {
    /// 0 if valid, otherwise the number of the refusal.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            Self::Valid { .. } => 0,
            Self::Refused(refused) => refused.refusal.number(),
        }
    }

    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Valid { .. } => VALID,
            Self::Refused(refused) => refused.refusal.code(),
        }
    }

    /// The refusal of a key that is not within one of its limits or quotas.
    pub(super) fn limited(
        refusal: Refusal,
        entry: Arc<KeyEntry>,
        limits: LimitStates,
        limited_by: usize,
        retry_after_ms: Option<u64>,
    ) -> Self {
        Self::Refused(RefusedKey {
            refusal,
            is_idle: false,
            missing_scopes: None,
            entry: Some(entry),
            retry_after_ms,
            limits,
            limited_by: Some(limited_by),
        })
    }
}

impl RefusedKey {
    /// A refusal that reveals nothing about any key.
    pub(super) fn invalid() -> Self {
        Self::of(Refusal::InvalidKey, None, None)
    }

    /// A refusal that reveals nothing about any key, since none was looked up.
    pub(super) fn throttled(wait_ms: u64) -> Self {
        Self::of(Refusal::Throttled, None, Some(wait_ms))
    }

    /// The refusal of a key by its kind or environment alone.
    pub(super) fn of_class(refusal: Refusal) -> Self {
        Self::bare(refusal, None)
    }

    /// A refusal without an entry.
    #[must_use]
    pub fn bare(refusal: Refusal, retry_after_ms: Option<u64>) -> Self {
        Self::of(refusal, None, retry_after_ms)
    }

    pub(super) fn of_entry(
        refusal: Refusal,
        entry: Arc<KeyEntry>,
        retry_after_ms: Option<u64>,
    ) -> Self {
        // A replaced key after its grace period gets the same answer as an unknown key.
        let entry = Some(entry).filter(|_| refusal != Refusal::InvalidKey);
        Self::of(refusal, entry, retry_after_ms)
    }

    fn of(refusal: Refusal, entry: Option<Arc<KeyEntry>>, retry_after_ms: Option<u64>) -> Self {
        Self {
            refusal,
            is_idle: false,
            missing_scopes: None,
            entry,
            retry_after_ms,
            limits: LimitStates::new(),
            limited_by: None,
        }
    }
}
