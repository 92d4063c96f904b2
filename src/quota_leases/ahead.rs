//! How many units a process leases before it needs them.

use std::time::Duration;

/// The recent use for which a process leases ahead.
const AHEAD: Duration = Duration::from_secs(10);
/// How many times more than what was just spent or is waited for a process leases at once.
const GROWTH: i64 = 8;
/// The least units of a lease that is renewed ahead: fewer are no sign that more will be needed, and others may need them.
const AHEAD_FROM: i64 = 4;

/// What a process will probably spend in the next seconds, if it has spent so much in this time.
pub(super) fn expected(spent: i64, time: Duration, waiting: i64) -> i64 {
    let millis = time.as_millis().max(1);
    let ahead = i128::from(spent) * i128::try_from(AHEAD.as_millis()).unwrap_or(0);
    let expected = ahead / i128::try_from(millis).unwrap_or(i128::MAX);
    let most = GROWTH.saturating_mul(spent.max(waiting));
    i64::try_from(expected).unwrap_or(i64::MAX).min(most)
}

/// Whether a lease should be renewed before its rest is spent.
pub(super) fn is_low(had: i64, available: i64) -> bool {
    had >= AHEAD_FROM && available < had / 2
}
