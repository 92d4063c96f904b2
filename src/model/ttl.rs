//! The operator's rules for the lifetimes of keys.

use super::timestamp::Timestamp;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ttl {
    /// The lifetime of a new key without `expiresAt`, in days.
    pub default_days: Option<i32>,
    /// The longest lifetime, in days: a later `expiresAt`, or none, is rejected.
    pub max_days: Option<i32>,
}

/// So many days of 24 hours later.
#[must_use]
pub fn after_days(now: Timestamp, days: i32) -> Timestamp {
    now.plus_seconds(i64::from(days) * 86_400)
}
