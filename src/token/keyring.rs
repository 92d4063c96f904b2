//! The keys that sign API keys.

use std::fmt;

use sha2::{Digest, Sha256};
use sophra_primitives::MacKey;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::shape::TAG_DIGITS;

/// The shortest signing key, in bytes.
pub const MIN_SIGNING_KEY_BYTES: usize = 32;

/// Separates the fingerprint from every other hash of the same bytes.
const FINGERPRINT_DOMAIN: &[u8] = b"sophra-api-keys/signing-key-fingerprint/v1\0";

/// A secret that makes tags. `Debug` shows its fingerprint only.
#[derive(Clone)]
pub struct SigningKey {
    key: MacKey,
    fingerprint: String,
}

impl SigningKey {
    /// `None` for less than [32 bytes](MIN_SIGNING_KEY_BYTES). The bytes are not kept: passed as `Zeroizing`, they are
    /// wiped here.
    #[must_use]
    pub fn new(bytes: impl AsRef<[u8]>) -> Option<Self> {
        let bytes = bytes.as_ref();
        if bytes.len() < MIN_SIGNING_KEY_BYTES {
            return None;
        }
        Some(Self {
            key: MacKey::new(bytes)?,
            fingerprint: fingerprint(bytes),
        })
    }

    /// Identifies the key without revealing it: 16 hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// A key for another purpose, derived from this one.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.mac(purpose))
    }

    /// What is between the secret of a key and its checksum.
    pub(super) fn tag(&self, text: &str) -> [u8; TAG_DIGITS] {
        self.key.tag(text)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.fingerprint)
    }
}

fn fingerprint(bytes: &[u8]) -> String {
    let digest = Sha256::new()
        .chain_update(FINGERPRINT_DOMAIN)
        .chain_update(bytes)
        .finalize();
    format!("{:016x}", first_64_bits(&digest))
}

/// Reads big-endian.
fn first_64_bits(digest: &[u8]) -> u64 {
    digest
        .iter()
        .take(8)
        .fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

/// The signing keys of a process, at least one.
#[derive(Clone, Debug)]
pub struct Keyring {
    signer: SigningKey,
    others: Vec<SigningKey>,
}

impl Keyring {
    /// The first key signs; all keys verify. `None` if there is none.
    #[must_use]
    pub fn new(keys: Vec<SigningKey>) -> Option<Self> {
        let mut keys = keys.into_iter();
        Some(Self {
            signer: keys.next()?,
            others: keys.collect(),
        })
    }

    /// The key that signs new keys.
    #[must_use]
    pub fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// All keys, the signer first.
    pub fn iter(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.signer).chain(&self.others)
    }

    /// The fingerprints of all keys.
    #[must_use]
    pub fn fingerprints(&self) -> Vec<String> {
        self.iter()
            .map(|key| key.fingerprint().to_owned())
            .collect()
    }

    /// The key that made `tag` for `text`. Each comparison takes constant time; which key matched is not secret.
    pub(super) fn author_of(&self, text: &str, tag: &str) -> Option<&SigningKey> {
        self.iter()
            .find(|key| key.tag(text).ct_eq(tag.as_bytes()).into())
    }
}
