//! The system clock.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// The current time. All other modules get the time passed in.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
