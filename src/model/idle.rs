//! Keys that were not used for long: pure, the clock is a parameter.

use std::time::{Duration, Instant};

const DAY: Duration = Duration::from_secs(86_400);
/// A key that seems idle may have been used by another process, so its row is read again, but not for every request.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// After how long without use a key is idle: its own number of days or the configured one, whichever is less.
#[must_use]
pub fn idle_after(own_days: Option<i32>, configured_days: Option<i32>) -> Option<Duration> {
    let days = own_days.into_iter().chain(configured_days).min()?;
    Some(DAY * u32::try_from(days).unwrap_or(0))
}

/// What a row says about the use of its key.
#[derive(Debug, Clone, Copy)]
pub struct Idleness {
    /// `None` means what is configured.
    pub max_days: Option<i32>,
    /// For how long it was not used when the row was read, by the clock of the database.
    pub unused: Duration,
    pub read_at: Instant,
}

impl Idleness {
    /// When this key is idle, if it ever is.
    #[must_use]
    pub fn rule(&self, configured_days: Option<i32>) -> Option<IdleRule> {
        let after = idle_after(self.max_days, configured_days)?;
        Some(IdleRule {
            after,
            due: self.read_at + after.saturating_sub(self.unused),
            read_at: self.read_at,
        })
    }
}

/// When a key is idle, by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct IdleRule {
    after: Duration,
    /// Without use since its row was read.
    due: Instant,
    read_at: Instant,
}

impl IdleRule {
    /// Whether the key is idle. `last_use` is the last one in this process, which the row need not have yet.
    #[must_use]
    pub fn is_idle(&self, last_use: Option<Instant>, now: Instant) -> bool {
        let is_over = |at: Instant| now.saturating_duration_since(at) >= self.after;
        now >= self.due && last_use.is_none_or(is_over)
    }

    /// Whether its row must be read again before it is refused.
    #[must_use]
    pub fn must_be_read(&self, last_use: Option<Instant>, now: Instant) -> bool {
        self.is_idle(last_use, now)
            && now.saturating_duration_since(self.read_at) >= READ_AGAIN_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(max_days: i32, unused: Duration, read_at: Instant) -> IdleRule {
        let idleness = Idleness {
            max_days: Some(max_days),
            unused,
            read_at,
        };
        idleness.rule(None).unwrap()
    }

    #[test]
    fn the_fewer_days_count() {
        assert_eq!(idle_after(None, None), None);
        assert_eq!(idle_after(Some(2), None), Some(2 * DAY));
        assert_eq!(idle_after(None, Some(3)), Some(3 * DAY));
        assert_eq!(idle_after(Some(2), Some(1)), Some(DAY));
        // Another writer may store any number.
        assert_eq!(idle_after(Some(-1), Some(1)), Some(Duration::ZERO));
    }

    #[test]
    fn a_key_is_idle_from_the_instant_on() {
        let (read_at, hour) = (Instant::now(), DAY / 24);
        let rule = rule(1, 23 * hour, read_at);
        assert!(!rule.is_idle(None, read_at));
        assert!(rule.is_idle(None, read_at + hour));
    }

    #[test]
    fn a_use_here_keeps_it_alive_here() {
        let read_at = Instant::now();
        let rule = rule(1, Duration::ZERO, read_at);
        let used = read_at + DAY / 2;
        assert!(!rule.is_idle(Some(used), read_at + DAY));
        assert!(rule.is_idle(Some(used), used + DAY));
    }

    #[test]
    fn one_that_seems_idle_is_read_again_but_not_all_the_time() {
        let read_at = Instant::now();
        let rule = rule(1, 2 * DAY, read_at);
        assert!(rule.is_idle(None, read_at));
        assert!(!rule.must_be_read(None, read_at));
        assert!(rule.must_be_read(None, read_at + READ_AGAIN_AFTER));
        assert!(!rule.must_be_read(Some(read_at), read_at + READ_AGAIN_AFTER));
    }
}
