//! EdDSA with Ed25519 (RFC 8037): the keys that sign derived tokens.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Bytes of what a private key is made from.
pub const SEED_BYTES: usize = 32;
const PUBLIC_BYTES: usize = 32;

/// A key that signs tokens, and its name.
pub struct TokenSigner {
    pub kid: Box<str>,
    pair: Ed25519KeyPair,
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({})", self.kid)
    }
}

impl TokenSigner {
    #[must_use]
    pub fn new(kid: &str, seed: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self {
            kid: kid.into(),
            pair,
        })
    }

    #[must_use]
    pub fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(super) fn sign(&self, message: &str) -> impl AsRef<[u8]> {
        self.pair.sign(message.as_bytes())
    }
}

/// The public part of a key whose tokens may live.
#[derive(Debug, Clone, Copy)]
pub struct TokenPublicKey([u8; PUBLIC_BYTES]);

impl TokenPublicKey {
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn is_signed(&self, message: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(message.as_bytes(), signature)
            .is_ok()
    }
}
