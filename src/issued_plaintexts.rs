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
        });
    }

    pub fn forget(&self, key_id: &str) {
        self.0.lock().retain(|issued| issued.key_id != key_id);
    }

    pub fn find(&self, key_id: &str, now: Instant) -> Option<Plaintext> {
        let kept = self.0.lock();
        let issued = kept.iter().find(|issued| issued.key_id == key_id)?;
        (now < issued.until).then(|| issued.plaintext.clone())
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
                .find("a", start + Duration::from_secs(after))
                .is_some()
        };
        assert!(found(599));
        assert!(!found(600));
        issued.sweep(start + KEPT);
        assert!(issued.0.lock().is_empty());
    }

    #[test]
    fn the_oldest_make_room() {
        let (issued, now) = (IssuedPlaintexts::default(), Instant::now());
        for id in 0..=KEPT_MAX {
            issued.keep(&id.to_string(), &plaintext("secret"), now);
        }
        assert!(issued.find("0", now).is_none());
        assert!(issued.find("1", now).is_some());
        assert_eq!(issued.0.lock().len(), KEPT_MAX);
    }

    #[test]
    fn nothing_is_printed() {
        let issued = IssuedPlaintexts::default();
        issued.keep("a", &plaintext("secret"), Instant::now());
        assert!(!format!("{issued:?}").contains("secret"));
    }
}
