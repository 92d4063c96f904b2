//! The checksum of a key.

use crc::{CRC_32_ISO_HDLC, Crc};

use crate::base62;

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Digits of a checksum: 62⁶ > 2³².
pub const CHECKSUM_DIGITS: usize = 6;

/// CRC-32 (IEEE 802.3, as in zlib), in base62.
#[must_use]
#[inline(never)]
pub fn checksum(text: &str) -> [u8; CHECKSUM_DIGITS] {
    base62::encode(CRC.checksum(text.as_bytes()).into())
}
