//! The keys of the cache: digests under a random key, so that an attacker cannot choose positions in it.

use std::hash::{BuildHasher, Hash, Hasher};

use sophra_primitives::KeyedDigest;

/// A keyed digest of a whole presented key. Collisions cannot be searched for without the process's key, and chance ones are negligible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheKey(u128);

impl CacheKey {
    #[must_use]
    pub fn of_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_le_bytes(bytes))
    }

    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_le_bytes()
    }

    /// A number that stands for the presented key outside of the cache. JavaScript can represent it exactly.
    #[must_use]
    pub fn slot(self) -> u64 {
        const DOUBLE_BITS: u32 = 53;
        #[expect(clippy::cast_possible_truncation)] // The lower half.
        let low = self.0 as u64;
        low >> (u64::BITS - DOUBLE_BITS)
    }
}

pub(super) struct CacheKeyer(KeyedDigest);

impl CacheKeyer {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self(KeyedDigest::new(key))
    }

    pub(super) fn key(&self, presented: &str) -> CacheKey {
        CacheKey::of_bytes(self.0.of(presented))
    }
}

impl Hash for CacheKey {
    /// The digest is random already, so part of it serves as the hash.
    fn hash<H: Hasher>(&self, state: &mut H) {
        #[expect(clippy::cast_possible_truncation)] // The lower half.
        state.write_u64(self.0 as u64);
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CacheKeyHash;

#[derive(Debug, Default)]
pub(super) struct PassThrough(u64);

impl BuildHasher for CacheKeyHash {
    type Hasher = PassThrough;

    fn build_hasher(&self) -> PassThrough {
        PassThrough::default()
    }
}

impl Hasher for PassThrough {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
