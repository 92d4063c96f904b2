//! The parts of a key, and their lengths.
//!
//! `<prefix>_<live|test>_<lookup:12>_<secret:32><tag:8><crc:6>`, digits in base62.

pub(super) use sophra_primitives::{CHECKSUM_DIGITS as CRC_DIGITS, TAG_DIGITS, checksum};

/// Digits of the public id that finds the row.
pub(super) const LOOKUP_DIGITS: usize = 12;
/// Digits of the secret: 32 · log2(62) ≈ 190 bits.
pub(super) const SECRET_DIGITS: usize = 32;

/// The shortest string that can be a key, in characters.
pub const MIN_LENGTH: usize = 16;
/// The longest string that can be a key, in characters.
pub const MAX_LENGTH: usize = 255;

pub(super) fn is_presentable(text: &str) -> bool {
    (MIN_LENGTH..=MAX_LENGTH).contains(&text.len()) && sophra_primitives::is_graphic(text)
}

pub(super) fn split_end(text: &str, count: usize) -> Option<(&str, &str)> {
    text.split_at_checked(text.len().checked_sub(count)?)
}
