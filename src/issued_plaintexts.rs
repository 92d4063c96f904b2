//! The plaintexts of keys that were created with an idempotency key, for a while, so that a repeated creation gets the
//! same answer. They are in the memory of this process alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::model::Plaintext;

const KEPT: Duration = Duration::from_secs(600);
/// With it, they take less than 1 MiB.
const KEPT_MAX: usize = 1_000;

#[derive(Debug)]
struct IssuedPlaintext {
    key_id: String,
    plaintext: Plaintext,
    until: Instant,
    is_repeated: bool,
}

/// Oldest first.
#[derive(Debug, Default)]
pub struct IssuedPlaintexts(Mutex<VecDeque<IssuedPlaintext>>);

impl IssuedPlaintexts {
    pub fn keep(&self, key_id: &str, plaintext: &Plaintext, now: Instant) {
        let mut kept = self.0.lock();
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(IssuedPlaintext {
            key_id: key_id.to_owned(),
            plaintext: plaintext.clone(),
            until: now + KEPT,
            is_repeated: false,
        });
    }

    /// Forgets the plaintext of a key whose creation was not confirmed. Returns false, and keeps it, if a repeated creation
    /// was given it: then the key exists, and somebody has it.
    pub fn forget(&self, key_id: &str) -> bool {
        let mut kept = self.0.lock();
        kept.retain(|issued| issued.is_repeated || issued.key_id != key_id);
        !kept.iter().any(|issued| issued.key_id == key_id)
    }

    /// The plaintext of a key that exists, for a repeated creation.
    pub fn repeat(&self, key_id: &str, now: Instant) -> Option<Plaintext> {
        let mut kept = self.0.lock();
        let issued = kept.iter_mut().find(|issued| issued.key_id == key_id)?;
        if now >= issued.until {
            return None;
        }
        issued.is_repeated = true;
        Some(issued.plaintext.clone())
    }

    /// Erases the plaintexts that were kept long enough.
    pub fn sweep(&self, now: Instant) {
        self.0.lock().retain(|issued| now < issued.until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plaintext(text: &str) -> Plaintext {
        Plaintext::new(text.to_owned())
    }

    #[test]
    fn a_plaintext_is_kept_for_ten_minutes() {
        let (issued, start) = (IssuedPlaintexts::default(), Instant::now());
        issued.keep("a", &plaintext("secret"), start);
        let found = |after| {
            issued
                .repeat("a", start + Duration::from_secs(after))
                .is_some()
        };
        assert!(found(599));
        assert!(!found(600));
        issued.sweep(start + KEPT);
        assert!(issued.0.lock().is_empty());
    }

    #[test]
    fn what_a_repetition_was_given_is_not_forgotten() {
        let (issued, now) = (IssuedPlaintexts::default(), Instant::now());
        for id in ["a", "b"] {
            issued.keep(id, &plaintext("secret"), now);
        }
        assert!(issued.repeat("a", now).is_some());
        assert!(!issued.forget("a"));
        assert!(issued.repeat("a", now).is_some());
        assert!(issued.forget("b"));
        assert!(issued.repeat("b", now).is_none());
    }

    #[test]
    fn the_oldest_make_room() {
        let (issued, now) = (IssuedPlaintexts::default(), Instant::now());
        for id in 0..=KEPT_MAX {
            issued.keep(&id.to_string(), &plaintext("secret"), now);
        }
        assert!(issued.repeat("0", now).is_none());
        assert!(issued.repeat("1", now).is_some());
        assert_eq!(issued.0.lock().len(), KEPT_MAX);
    }

    #[test]
    fn nothing_is_printed() {
        let issued = IssuedPlaintexts::default();
        issued.keep("a", &plaintext("secret"), Instant::now());
        assert!(!format!("{issued:?}").contains("secret"));
    }
}
