//! Digests under a key of the process.

use sha2::{Digest, Sha256};

/// SHA-256 (FIPS 180-4) of a text behind a key of 32 bytes.
pub struct KeyedDigest(Sha256);

impl KeyedDigest {
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Sha256::new_with_prefix(key))
    }

    /// The first half of the digest.
    #[must_use]
    #[inline(never)]
    pub fn half(&self, text: &str) -> [u8; 16] {
        let digest: [u8; 32] = self.0.clone().chain_update(text).finalize().into();
        let (half, _) = digest.split_at(16);
        half.try_into().unwrap_or_default()
    }
}
