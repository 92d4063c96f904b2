//! The answer to a presented key. A refusal is a value; only faults are errors.

use std::sync::Arc;

pub use crate::cached_key::KeyEntry;
use crate::model::{RateLimit, Refusal, VALID};

pub enum Verification {
    Valid {
        entry: Arc<KeyEntry>,
        rate_limit: Option<RateLimit>,
    },
    Refused(RefusedKey),
}

pub struct RefusedKey {
    pub refusal: Refusal,
    /// Present only if the key itself was correct.
    pub entry: Option<Arc<KeyEntry>>,
    pub retry_after_ms: Option<u64>,
    pub rate_limit: Option<RateLimit>,
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

    /// A refusal that reveals nothing about any key.
    pub(super) fn invalid_key() -> Self {
        Self::Refused(RefusedKey {
            refusal: Refusal::InvalidKey,
            entry: None,
            retry_after_ms: None,
            rate_limit: None,
        })
    }

    /// A refusal that reveals nothing about any key, since none was looked up.
    pub(super) fn throttled(wait_ms: u64) -> Self {
        Self::Refused(RefusedKey {
            refusal: Refusal::Throttled,
            entry: None,
            retry_after_ms: Some(wait_ms),
            rate_limit: None,
        })
    }

    pub(super) fn refused(
        refusal: Refusal,
        entry: Arc<KeyEntry>,
        retry_after_ms: Option<u64>,
        rate_limit: Option<RateLimit>,
    ) -> Self {
        // A replaced key after its grace period gets the same answer as an unknown key.
        let entry = Some(entry).filter(|_| refusal != Refusal::InvalidKey);
        Self::Refused(RefusedKey {
            refusal,
            entry,
            retry_after_ms,
            rate_limit,
        })
    }
}
