//! The lengths of the parts of a key, and its checksum.
//!
//! `<prefix>_<live|test>_<lookup:12>_<secret:32><tag:8><crc:6>`, digits in base62.

use crc::{CRC_32_ISO_HDLC, Crc};

use super::base62;

static CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Digits of the public id that finds the row.
pub(super) const LOOKUP_DIGITS: usize = 12;
/// Digits of the secret: 32 · log2(62) ≈ 190 bits.
pub(super) const SECRET_DIGITS: usize = 32;
/// Digits of the tag: 62⁸ > 2⁴⁷.
pub(super) const TAG_DIGITS: usize = 8;
/// Digits of the checksum: 62⁶ > 2³².
pub(super) const CRC_DIGITS: usize = 6;

/// The shortest string that can be a key, in characters.
pub const MIN_LENGTH: usize = 16;
/// The longest string that can be a key, in characters.
pub const MAX_LENGTH: usize = 255;

pub(super) fn is_presentable(text: &str) -> bool {
    // Without an early end, so that the compiler takes many bytes at a time.
    (MIN_LENGTH..=MAX_LENGTH).contains(&text.len())
        && text
            .bytes()
            .fold(true, |all, byte| all & byte.is_ascii_graphic())
}

pub(super) fn split_end(text: &str, count: usize) -> Option<(&str, &str)> {
    text.split_at_checked(text.len().checked_sub(count)?)
}

/// CRC-32 (IEEE 802.3, as in zlib).
pub(super) fn checksum(text: &str) -> [u8; CRC_DIGITS] {
    base62::encode(CRC.checksum(text.as_bytes()).into())
}
