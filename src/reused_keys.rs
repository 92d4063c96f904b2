//! Replaced keys that were presented after their grace period, until operators are told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::model::Escaped;

/// How long this process keeps quiet about a key that it has reported. The database decides whether it is told.
const QUIET_FOR: Duration = Duration::from_secs(3_600);
/// Keys that are remembered at most. What is beyond them is reported once there is room.
const KEYS_MAX: usize = 10_000;

/// What there is to tell of a replaced key.
#[derive(Debug, Clone)]
pub struct ReusedKey {
    pub name: Escaped,
    pub client_id: Escaped,
    /// The address that presented it first.
    pub ip: Option<IpAddr>,
}

#[derive(Debug)]
enum State {
    Pending(ReusedKey),
    ReportedAt(Instant),
}

/// By the id of the key.
#[derive(Debug, Default)]
pub struct ReusedKeys(Mutex<HashMap<Arc<str>, State>>);

impl ReusedKeys {
    /// Notes that a replaced key was presented.
    pub fn note(&self, key_id: &Arc<str>, now: Instant, reused: impl FnOnce() -> ReusedKey) {
        let mut keys = self.0.lock();
        if keys.get(key_id).is_some_and(|state| !state.is_over(now)) {
            return;
        }
        if keys.len() >= KEYS_MAX {
            keys.retain(|_, state| !state.is_over(now));
        }
        if keys.len() < KEYS_MAX {
            keys.insert(Arc::clone(key_id), State::Pending(reused()));
        }
    }

    /// The keys that are to be reported, at most so many.
    pub fn pending(&self, most: usize) -> Vec<(Arc<str>, ReusedKey)> {
        let keys = self.0.lock();
        let pending = keys.iter().filter_map(|(key_id, state)| match state {
            State::Pending(reused) => Some((Arc::clone(key_id), reused.clone())),
            State::ReportedAt(_) => None,
        });
        pending.take(most).collect()
    }

    pub fn mark_reported(&self, key_id: &Arc<str>, now: Instant) {
        let mut keys = self.0.lock();
        keys.insert(Arc::clone(key_id), State::ReportedAt(now));
    }

    /// Whether nothing is to be reported.
    pub fn is_empty(&self) -> bool {
        self.pending(1).is_empty()
    }
}

impl State {
    fn is_over(&self, now: Instant) -> bool {
        matches!(self, Self::ReportedAt(at) if now.saturating_duration_since(*at) >= QUIET_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(keys: &ReusedKeys, key_id: &str, now: Instant) {
        keys.note(&key_id.into(), now, || ReusedKey {
            name: Escaped::new("n"),
            client_id: Escaped::new("c"),
            ip: None,
        });
    }

    fn mark_all(keys: &ReusedKeys, now: Instant) {
        for (key_id, _) in keys.pending(usize::MAX) {
            keys.mark_reported(&key_id, now);
        }
    }

    #[test]
    fn a_key_is_reported_once_an_hour() {
        let (keys, now) = (ReusedKeys::default(), Instant::now());
        for _ in 0..2 {
            note(&keys, "a", now);
            assert_eq!(keys.pending(usize::MAX).len(), 1);
        }
        mark_all(&keys, now);
        note(&keys, "a", now + QUIET_FOR / 2);
        assert!(keys.is_empty());
        note(&keys, "a", now + QUIET_FOR);
        assert!(!keys.is_empty());
    }

    #[test]
    fn the_keys_are_bounded() {
        let (keys, now) = (ReusedKeys::default(), Instant::now());
        for number in 0..2 * KEYS_MAX {
            note(&keys, &number.to_string(), now);
        }
        assert_eq!(keys.pending(usize::MAX).len(), KEYS_MAX);
        mark_all(&keys, now);
        note(&keys, "another", now);
        assert!(keys.is_empty());
        note(&keys, "another", now + QUIET_FOR);
        assert!(!keys.is_empty());
    }
}
