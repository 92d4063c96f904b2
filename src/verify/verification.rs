//! The answer to a presented key: a refusal is a value, only faults are errors.

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
    /// Known only where the key itself was right.
    pub entry: Option<Arc<KeyEntry>>,
    pub retry_after_ms: Option<u64>,
    pub rate_limit: Option<RateLimit>,
}

impl Verification {
    /// 0, or the number of the refusal.
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

    /// Tells nothing of any key.
    pub(super) fn invalid_key() -> Self {
        Self::Refused(RefusedKey {
            refusal: Refusal::InvalidKey,
            entry: None,
            retry_after_ms: None,
            rate_limit: None,
        })
    }

    /// Tells nothing of any key either: it was not looked up.
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
        // A replaced key beyond its grace period is answered like an unknown one.
        let entry = Some(entry).filter(|_| refusal != Refusal::InvalidKey);
        Self::Refused(RefusedKey {
            refusal,
            entry,
            retry_after_ms,
            rate_limit,
        })
    }
}
