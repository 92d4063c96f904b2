//! Base62: `0-9A-Za-z` in this order, most significant digit first, left-padded with `0`.

use crate::bytes;

/// Whether it is nothing but digits.
#[must_use]
#[inline(never)]
pub fn is_base62(text: &str) -> bool {
    text.bytes().all(bytes::is_alphanumeric)
}

/// The digit of a value below 62.
#[must_use]
pub fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        10..36 => b'A' + (value - 10),
        _ => b'a' + (value - 36),
    }
}

/// The last `N` digits of `value`.
pub(crate) fn encode<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [0; N];
    for place in digits.iter_mut().rev() {
        *place = digit((value % 62) as u8);
        value /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_on_the_left() {
        assert_eq!(&encode::<6>(0), b"000000");
        assert_eq!(&encode::<6>(61), b"00000z");
        assert_eq!(&encode::<6>(62), b"000010");
        assert_eq!(&encode::<6>(u32::MAX.into()), b"4gfFC3");
        assert_eq!(&encode::<8>((1 << 47) - 1), b"dxlGgaI3");
    }
}
