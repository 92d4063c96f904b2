//! Keys whose rows the database refuses to update. What is to be stored of them waits, so that it holds up no other key.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The number of keys set aside at most: if there are more, the problem is the table and not a single row.
const KEPT_MAX: usize = 1_000;
/// How long a key waits before it is tried again.
const PAUSE: Duration = Duration::from_secs(60);

/// What waits to be stored of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unstored {
    Usage,
    Suspension,
}

/// By what waits, the keys and when each is tried again.
#[derive(Debug, Default)]
pub struct UnwritableKeys(Mutex<[HashMap<Box<str>, Instant>; 2]>);

impl UnwritableKeys {
    /// Sets a key aside that was just rejected, if there is room. Returns whether nothing of it was before.
    pub fn set_aside(&self, what: Unstored, key_id: &str, now: Instant) -> bool {
        let mut keys = self.0.lock();
        let is_new = keys.iter().all(|keys| !keys.contains_key(key_id));
        let keys = &mut keys[what as usize];
        if keys.len() < KEPT_MAX || keys.contains_key(key_id) {
            keys.insert(key_id.into(), now + PAUSE);
            return is_new;
        }
        false
    }

    /// Whether the key is set aside.
    pub fn contains(&self, what: Unstored, key_id: &str) -> bool {
        self.0.lock()[what as usize].contains_key(key_id)
    }

    /// Whether the key is set aside and not due to be tried again.
    pub fn waits(&self, what: Unstored, key_id: &str, now: Instant) -> bool {
        let keys = self.0.lock();
        keys[what as usize].get(key_id).is_some_and(|at| now < *at)
    }

    /// Makes every key due.
    pub fn try_all(&self, now: Instant) {
        let mut keys = self.0.lock();
        for at in keys.iter_mut().flat_map(HashMap::values_mut) {
            *at = now;
        }
    }

    /// Keeps only the keys of which something is left to store.
    pub fn retain(&self, what: Unstored, is_left: impl Fn(&str) -> bool) {
        self.0.lock()[what as usize].retain(|key_id, _| is_left(key_id));
    }

    /// The number of keys set aside.
    pub fn len(&self) -> usize {
        let keys = self.0.lock();
        let ids: HashSet<_> = keys.iter().flat_map(HashMap::keys).collect();
        ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.lock().iter().all(HashMap::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once_and_tried_again_after_a_pause() {
        let keys = UnwritableKeys::default();
        let now = Instant::now();
        assert!(keys.set_aside(Unstored::Usage, "a", now));
        assert!(!keys.set_aside(Unstored::Suspension, "a", now));
        assert!(keys.waits(Unstored::Usage, "a", now));
        assert!(!keys.waits(Unstored::Usage, "b", now));
        assert!(!keys.waits(Unstored::Usage, "a", now + PAUSE));
        keys.try_all(now);
        assert!(!keys.waits(Unstored::Suspension, "a", now));
        assert_eq!(keys.len(), 1);
        keys.retain(Unstored::Usage, |_| false);
        keys.retain(Unstored::Suspension, |_| false);
        assert!(keys.is_empty());
    }

    #[test]
    fn no_more_keys_are_kept_than_a_table_has_single_faults() {
        let keys = UnwritableKeys::default();
        for number in 0..KEPT_MAX {
            assert!(keys.set_aside(Unstored::Usage, &number.to_string(), Instant::now()));
        }
        assert!(!keys.set_aside(Unstored::Usage, "one more", Instant::now()));
        assert_eq!(keys.len(), KEPT_MAX);
    }
}
