//! Counts the uses of one key.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::{KeyUse, Timestamp};

/// The uses of one key since the last flush. Counting takes no lock.
#[derive(Debug)]
pub struct UseCounter {
    key_id: Arc<str>,
    uses: AtomicI64,
    last_used: AtomicI64,
}

impl UseCounter {
    #[must_use]
    pub fn new(key_id: Arc<str>) -> Self {
        Self {
            key_id,
            uses: AtomicI64::new(0),
            last_used: AtomicI64::new(i64::MIN),
        }
    }

    /// Counts a use. Returns whether it is the first since the counter was last at zero.
    pub(super) fn count(&self, now: Timestamp) -> bool {
        self.last_used.fetch_max(now.millis(), Ordering::Relaxed);
        self.uses.fetch_add(1, Ordering::AcqRel) == 0
    }

    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) fn take(&self) -> KeyUse {
        // The next use finds zero and lists the counter again.
        let uses = self.uses.swap(0, Ordering::AcqRel);
        KeyUse {
            uses,
            last_used: Timestamp::from_millis(self.last_used.load(Ordering::Relaxed)),
        }
    }
}

impl From<(String, KeyUse)> for UseCounter {
    fn from((key_id, counted): (String, KeyUse)) -> Self {
        Self {
            key_id: key_id.into(),
            uses: AtomicI64::new(counted.uses),
            last_used: AtomicI64::new(counted.last_used.millis()),
        }
    }
}

/// The uses that counters have counted.
pub(super) fn uses<'a>(counters: impl IntoIterator<Item = &'a Arc<UseCounter>>) -> i64 {
    counters
        .into_iter()
        .map(|counter| counter.uses.load(Ordering::Acquire))
        .sum()
}
