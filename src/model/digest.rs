//! SHA-256 of a whole credential: finds and authenticates the credentials of old instances, and every admin token.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::hex::to_hex;

/// A plain digest suffices, because these credentials are fully random and cannot be guessed.
#[derive(Debug, Clone, Copy)]
pub struct CredentialDigest([u8; 32]);

impl CredentialDigest {
    #[must_use]
    pub fn of(credential: &str) -> Self {
        Self(Sha256::digest(credential).into())
    }

    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The lookup of a row that stores this digest.
    #[must_use]
    pub fn lookup(&self) -> String {
        format!("sha256:{}", to_hex(&self.0))
    }

    /// Compares in constant time.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl PartialEq for CredentialDigest {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for CredentialDigest {}
