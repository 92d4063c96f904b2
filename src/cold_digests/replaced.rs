//! Digests of other processes that this one has replaced.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash, RandomState};

use parking_lot::Mutex;

/// Keys remembered at most, 8 bytes each. If there are more, no further digest is replaced.
const REPLACED_MAX: usize = 1_000_000;

#[derive(Default)]
pub(super) struct Replaced {
    hashes: Mutex<HashSet<u64>>,
    hasher: RandomState,
}

impl Replaced {
    /// Whether the digest of this key may be replaced: for the first time only.
    pub(super) fn begin(&self, key: &impl Hash) -> bool {
        let mut hashes = self.hashes.lock();
        hashes.len() < REPLACED_MAX && hashes.insert(self.hasher.hash_one(key))
    }

    pub(super) fn forget(&self, key: &impl Hash) {
        self.hashes.lock().remove(&self.hasher.hash_one(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_each_and_never_more_than_fit() {
        let replaced = Replaced::default();
        assert!(replaced.begin(&0));
        assert!(!replaced.begin(&0));
        replaced.forget(&0);
        assert!(replaced.begin(&0));
        // Two of so many numbers share a hash with a chance of one to thirty million.
        let begun = (1..REPLACED_MAX + 100)
            .filter(|n| replaced.begin(n))
            .count();
        assert_eq!(begun, REPLACED_MAX - 1);
    }
}
