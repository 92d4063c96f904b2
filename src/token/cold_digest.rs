//! The cold digest lets another process authenticate a key without hashing. The price: an attacker with both the
//! database and the signing keys can test guesses fast. With the database alone a thief still faces argon2id.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::keyring::{Keyring, SigningKey};
use crate::error::Error;
use crate::model::{Plaintext, StoredHash};

/// HMAC-SHA-256 (RFC 2104) under keys derived from the signing keys of the environment.
pub struct ColdDigests(Vec<Hmac<Sha256>>);

const KEPT: &str = "coldDigest (API_KEYS_COLD_DIGEST) requires a first signing key that is not stored in the database: \
     put a new signing key first in API_KEYS_SIGNING_KEYS";

const PURPOSE: &[u8] = b"sophra-api-keys cold digest v1";

impl ColdDigests {
    /// Leaves out signing keys that the database stores too: the digest must not lie beside its key. The key that signs
    /// must not be among them.
    pub fn new(keyring: &Keyring, kept: &[String]) -> Result<Self, Error> {
        let is_kept = |key: &SigningKey| kept.iter().any(|kept| kept == key.fingerprint());
        if is_kept(keyring.signer()) {
            return Err(Error::configuration(KEPT));
        }
        let own = keyring.iter().filter(|key| !is_kept(key));
        Ok(Self(own.filter_map(|key| key.derive(PURPOSE)).collect()))
    }

    /// The digest to store for a key that matched its hash, under the key that signs now.
    pub fn digest(&self, key: &Plaintext, hash: &StoredHash) -> Option<Vec<u8>> {
        self.0
            .first()
            .map(|mac| of(mac, key, hash).finalize().into_bytes().to_vec())
    }

    /// Whether the stored digest is of this key and this hash, under any of the keys. Compares in constant time.
    pub fn matches(&self, key: &Plaintext, hash: &StoredHash, kept: &[u8]) -> bool {
        self.0
            .iter()
            .any(|mac| of(mac, key, hash).verify_slice(kept).is_ok())
    }
}

/// Bound to the stored hash: if another writer replaces the hash, the digest is no longer valid. A key has no line
/// break, so the boundary between the two is unambiguous.
fn of(mac: &Hmac<Sha256>, key: &Plaintext, hash: &StoredHash) -> Hmac<Sha256> {
    mac.clone()
        .chain_update(key.expose())
        .chain_update("\n")
        .chain_update(hash.as_str())
}
