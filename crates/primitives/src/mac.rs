//! Tags of keys.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base62;

/// Digits of a tag: 62⁸ > 2⁴⁷.
pub const TAG_DIGITS: usize = 8;
/// Bits of the first 64 that are dropped: a tag keeps the top 47.
const TAG_SHIFT: u32 = 64 - 47;

/// The keyed state of HMAC-SHA-256 (RFC 2104), so that a tag costs no key schedule.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    #[must_use]
    pub fn new(key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Self)
    }

    #[must_use]
    pub fn mac(&self, message: &[u8]) -> [u8; 32] {
        self.0
            .clone()
            .chain_update(message)
            .finalize()
            .into_bytes()
            .into()
    }

    /// The top 47 bits of the MAC of a text, read big-endian, in base62.
    #[must_use]
    #[inline(never)]
    pub fn tag(&self, text: &str) -> [u8; TAG_DIGITS] {
        let mac = self.mac(text.as_bytes());
        let bits = mac
            .first_chunk()
            .map_or(0, |bits| u64::from_be_bytes(*bits));
        base62::encode(bits >> TAG_SHIFT)
    }
}
