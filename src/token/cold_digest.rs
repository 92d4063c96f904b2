//! The cold digest lets a process authenticate a key without hashing. The price: an attacker with both the database and
//! the pepper can test guesses fast. With the database alone a thief still faces argon2id.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::pepper::{PEPPER_ID_BYTES, Peppers};
use crate::model::{Plaintext, StoredHash};

const HASH_ID_BYTES: usize = 8;
const CODE_BYTES: usize = 32;

/// What a stored digest says about a presented key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestCheck {
    /// The key is the one that the hash was made of.
    Match {
        /// Whether the digest was made under the pepper of new digests.
        is_current_pepper: bool,
    },
    /// It is another key.
    Mismatch,
    /// Nothing: there is no digest, or it was made under a pepper that this process lacks, or beside another hash.
    Undecided,
}

/// The parts of a stored digest.
struct Parts<'a> {
    pepper: &'a [u8; PEPPER_ID_BYTES],
    hash: &'a [u8; HASH_ID_BYTES],
    code: &'a [u8; CODE_BYTES],
}

impl<'a> Parts<'a> {
    /// `None` if the length is another.
    fn of(stored: &'a [u8]) -> Option<Self> {
        let (pepper, rest) = stored.split_first_chunk()?;
        let (hash, code) = rest.split_first_chunk()?;
        let code = code.try_into().ok()?;
        Some(Self { pepper, hash, code })
    }
}

impl Peppers {
    /// The digest to store beside this hash of the key: the ids of pepper and hash, and the code.
    pub fn digest(&self, key: &Plaintext, hash: &StoredHash) -> Vec<u8> {
        let (keyed, id) = self.current();
        let code = code(keyed, key, hash).finalize().into_bytes();
        [&id[..], &hash_id(hash), &code].concat()
    }

    /// What the stored digest says. Compares in constant time.
    pub fn check(&self, key: &Plaintext, hash: &StoredHash, stored: &[u8]) -> DigestCheck {
        let Some((keyed, is_current_pepper, parts)) = self.decisive(hash, stored) else {
            return DigestCheck::Undecided;
        };
        match code(keyed, key, hash).verify_slice(parts.code) {
            Ok(()) => DigestCheck::Match { is_current_pepper },
            Err(_) => DigestCheck::Mismatch,
        }
    }

    /// Whether the stored digest can tell the key of this hash from others.
    pub fn can_decide(&self, hash: &StoredHash, stored: &[u8]) -> bool {
        self.decisive(hash, stored).is_some()
    }

    /// The pepper of a digest that was made for this hash, and whether it is the current one.
    fn decisive<'a>(
        &self,
        hash: &StoredHash,
        stored: &'a [u8],
    ) -> Option<(&Hmac<Sha256>, bool, Parts<'a>)> {
        let parts = Parts::of(stored).filter(|parts| *parts.hash == hash_id(hash))?;
        let (keyed, is_current_pepper) = self.find(*parts.pepper)?;
        Some((keyed, is_current_pepper, parts))
    }

    /// Whether the stored digest is of another kind than those that this process makes: under another pepper, or in a form
    /// that it does not know.
    pub fn is_foreign(&self, stored: &[u8]) -> bool {
        !Parts::of(stored)
            .and_then(|parts| self.find(*parts.pepper))
            .is_some_and(|(_, is_current)| is_current)
    }
}

/// Tells a hash from others. It is no secret, since the hash itself is stored beside it.
fn hash_id(hash: &StoredHash) -> [u8; HASH_ID_BYTES] {
    let digest = Sha256::digest(hash.as_str());
    let mut id = [0; HASH_ID_BYTES];
    id.copy_from_slice(&digest[..HASH_ID_BYTES]);
    id
}

/// Bound to the stored hash: if another writer replaces the hash, the digest is no longer valid. A key has no line
/// break, so the boundary between the two is unambiguous.
fn code(keyed: &Hmac<Sha256>, key: &Plaintext, hash: &StoredHash) -> Hmac<Sha256> {
    keyed
        .clone()
        .chain_update(key.expose())
        .chain_update("\n")
        .chain_update(hash.as_str())
}
