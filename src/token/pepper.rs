//! Peppers: secrets of the environment under which cold digests are made. None of them is in the database.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keyring::SigningKey;

/// Bytes of the id of a pepper.
pub(super) const PEPPER_ID_BYTES: usize = 8;

const OF_SIGNING_KEY: &[u8] = b"sophra-api-keys cold digest v1";
const OF_SECRET: &[u8] = b"sophra-api-keys cold digest pepper v1";
/// No digest is made of such a text, since it has no line break.
const ID: &[u8] = b"sophra-api-keys cold digest pepper id v1";

/// One pepper, as the keyed state of HMAC-SHA-256 (RFC 2104).
struct Pepper {
    keyed: Hmac<Sha256>,
    id: [u8; PEPPER_ID_BYTES],
}

impl Pepper {
    fn new(keyed: Hmac<Sha256>) -> Self {
        let code = keyed.clone().chain_update(ID).finalize().into_bytes();
        let mut id = [0; PEPPER_ID_BYTES];
        id.copy_from_slice(&code[..PEPPER_ID_BYTES]);
        Self { keyed, id }
    }
}

/// A key for one purpose, derived from a secret that has another purpose too, by HKDF-SHA-256 (RFC 5869).
pub fn derive(secret: &[u8], purpose: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut derived = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, secret)
        .expand(purpose, &mut *derived)
        .ok()?;
    Some(derived)
}

/// The peppers of a process, at least one.
pub struct Peppers {
    current: Pepper,
    others: Vec<Pepper>,
}

impl Peppers {
    /// Peppers derived from signing keys. New digests are made under the first. `None` if there is none.
    pub fn of_signing_keys<'a>(keys: impl IntoIterator<Item = &'a SigningKey>) -> Option<Self> {
        let derived = |key: &SigningKey| {
            let keyed = Hmac::new_from_slice(&*key.derive(OF_SIGNING_KEY)).ok()?;
            Some(Pepper::new(keyed))
        };
        let mut peppers = keys.into_iter().filter_map(derived);
        Some(Self {
            current: peppers.next()?,
            others: peppers.collect(),
        })
    }

    /// One pepper, derived from a secret that has another purpose too, by HKDF-SHA-256 (RFC 5869).
    pub fn of_secret(secret: &[u8]) -> Option<Self> {
        let derived = derive(secret, OF_SECRET)?;
        Some(Self {
            current: Pepper::new(Hmac::new_from_slice(&*derived).ok()?),
            others: Vec::new(),
        })
    }

    /// What the digests under these peppers begin with.
    pub fn ids(&self) -> Vec<Vec<u8>> {
        let all = std::iter::once(&self.current).chain(&self.others);
        all.map(|pepper| pepper.id.to_vec()).collect()
    }

    /// The pepper of new digests.
    pub(super) fn current(&self) -> (&Hmac<Sha256>, &[u8; PEPPER_ID_BYTES]) {
        (&self.current.keyed, &self.current.id)
    }

    /// The pepper with this id, and whether it is the one of new digests.
    pub(super) fn find(&self, id: [u8; PEPPER_ID_BYTES]) -> Option<(&Hmac<Sha256>, bool)> {
        let is_it = |pepper: &Pepper| bool::from(pepper.id.ct_eq(&id));
        if is_it(&self.current) {
            return Some((&self.current.keyed, true));
        }
        let other = self.others.iter().find(|pepper| is_it(pepper))?;
        Some((&other.keyed, false))
    }
}
