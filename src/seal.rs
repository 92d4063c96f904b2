//! Seals what is stored in the database but must not be readable with the database alone: AEAD under keys that are not in it.

use std::iter;

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The first byte of what is stored: whether the rest is sealed.
const PLAIN: u8 = 0;
const SEALED: u8 = 1;
const ID_BYTES: usize = 8;
const ID_DOMAIN: &[u8] = b"sophra-api-keys seal id v1";

/// 32 bytes, from which a seal is made.
pub type SealKey = Zeroizing<[u8; 32]>;

struct Seal {
    key: LessSafeKey,
    /// Tells keys from each other.
    id: [u8; ID_BYTES],
}

impl Seal {
    fn new(bytes: &SealKey) -> Option<Self> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &**bytes).ok()?;
        let digest = Sha256::new().chain_update(ID_DOMAIN).chain_update(**bytes);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&digest.finalize()[..ID_BYTES]);
        Some(Self {
            key: LessSafeKey::new(key),
            id,
        })
    }
}

/// The seals of a process: the first one seals, all of them open. There may be none.
#[derive(Default)]
pub struct Seals(Vec<Seal>);

impl Seals {
    #[must_use]
    pub fn new(keys: &[SealKey]) -> Self {
        Self(keys.iter().filter_map(Seal::new).collect())
    }

    /// What to store of a secret. It can only be opened for the same `owner`. Without a seal it is stored as it is. `None` never
    /// happens to a secret of a few bytes.
    #[must_use]
    pub fn seal(&self, secret: &[u8], owner: &str, nonce: [u8; NONCE_LEN]) -> Option<Vec<u8>> {
        let Some(seal) = self.0.first() else {
            return Some(iter::once(PLAIN).chain(secret.iter().copied()).collect());
        };
        let mut text = secret.to_vec();
        let aad = Aad::from(owner.as_bytes());
        seal.key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .ok()?;
        Some([&[SEALED][..], &seal.id, &nonce, &text].concat())
    }

    /// Whether secrets are stored as they are.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret of what is stored in base64, unless it was stored as it is: whoever writes the database could put it there.
    #[must_use]
    pub fn open_sealed_text(&self, stored: &str, owner: &str) -> Option<Zeroizing<Vec<u8>>> {
        let stored = BASE64_STANDARD.decode(stored).ok()?;
        (stored.first() == Some(&SEALED)).then(|| self.open(&stored, owner))?
    }

    /// The same of what is stored in base64.
    #[must_use]
    pub fn open_text(&self, stored: &str, owner: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.open(&BASE64_STANDARD.decode(stored).ok()?, owner)
    }

    /// The secret that was stored for this owner. `None` if no seal of this process opens it.
    #[must_use]
    pub fn open(&self, stored: &[u8], owner: &str) -> Option<Zeroizing<Vec<u8>>> {
        let (kind, rest) = stored.split_first()?;
        if *kind == PLAIN {
            return Some(Zeroizing::new(rest.to_vec()));
        }
        let (id, rest) = rest.split_first_chunk::<ID_BYTES>()?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>()?;
        let seal = self.0.iter().find(|seal| seal.id == *id)?;
        let mut text = Zeroizing::new(text.to_vec());
        let aad = Aad::from(owner.as_bytes());
        let length = seal
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text)
            .ok()?
            .len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seals(keys: &[u8]) -> Seals {
        let keys: Vec<SealKey> = keys.iter().map(|key| SealKey::new([*key; 32])).collect();
        Seals::new(&keys)
    }

    #[test]
    fn a_secret_opens_for_its_owner_under_its_key_alone() {
        let sealed = seals(&[1, 2]).seal(b"secret", "a", [7; NONCE_LEN]).unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert_eq!(
            seals(&[2, 1]).open(&sealed, "a").unwrap().as_slice(),
            b"secret"
        );
        assert!(seals(&[2, 1]).open(&sealed, "b").is_none());
        assert!(seals(&[2]).open(&sealed, "a").is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let opened = seals(&[1]).open(&changed, "a");
            // What says that it is plain is taken for plain: whoever writes the table can do that anyway.
            assert!(opened.is_none() || at == 0, "{at}");
            assert!(seals(&[1]).open(&sealed[..at], "a").is_none());
        }
    }

    #[test]
    fn where_only_a_sealed_secret_counts_a_plain_one_is_none() {
        let text = |seals: &Seals| {
            BASE64_STANDARD.encode(seals.seal(b"secret", "a", [7; NONCE_LEN]).unwrap())
        };
        let open = |text: &str| seals(&[1]).open_sealed_text(text, "a").is_some();
        assert!(open(&text(&seals(&[1]))));
        assert!(!open(&text(&Seals::default())));
        assert!(!open(""));
        assert!(seals(&[]).is_empty() && !seals(&[1]).is_empty());
    }

    #[test]
    fn without_a_seal_a_secret_is_stored_as_it_is() {
        let stored = Seals::default()
            .seal(b"secret", "a", [7; NONCE_LEN])
            .unwrap();
        assert_eq!(stored, b"\0secret");
        assert_eq!(
            seals(&[1]).open(&stored, "a").unwrap().as_slice(),
            b"secret"
        );
    }
}
