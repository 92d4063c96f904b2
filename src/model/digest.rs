//! SHA-256 of a whole credential: what finds, and proves, what old instances issued, and every admin token.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A plain digest is enough where a credential is random in full: nobody can guess what it is of.
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

    /// The lookup of a row that keeps this digest.
    #[must_use]
    pub fn lookup(&self) -> String {
        self.0.iter().fold("sha256:".to_owned(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// In constant time.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
