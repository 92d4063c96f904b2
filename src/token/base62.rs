//! Base62: `0-9A-Za-z` in this order, most significant digit first, left-padded with `0`.

use rand::CryptoRng;
use zeroize::Zeroizing;

/// The largest multiple of 62 in a byte: higher bytes would favour the first digits.
const UNBIASED: u8 = u8::MAX / 62 * 62;

pub(super) fn is_base62(text: &str) -> bool {
    // Without an early end, so that the compiler takes many bytes at a time.
    text.bytes()
        .fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
}

/// The last `N` digits of `value`.
pub(super) fn encode<const N: usize>(mut value: u64) -> [u8; N] {
    let mut digits = [0; N];
    for place in digits.iter_mut().rev() {
        *place = digit((value % 62) as u8);
        value /= 62;
    }
    digits
}

/// Appends `count` uniform digits. The random bytes are wiped.
pub(super) fn push_random<R: CryptoRng + ?Sized>(text: &mut String, count: usize, rng: &mut R) {
    let mut bytes = Zeroizing::new([0; 32]);
    let mut missing = count;
    while missing > 0 {
        rng.fill_bytes(bytes.as_mut_slice());
        for byte in bytes.iter().filter(|byte| **byte < UNBIASED).take(missing) {
            text.push(digit(byte % 62).into());
            missing -= 1;
        }
    }
}

fn digit(value: u8) -> u8 {
    match value {
        0..10 => b'0' + value,
        10..36 => b'A' + (value - 10),
        _ => b'a' + (value - 36),
    }
}
