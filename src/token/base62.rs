//! Random texts in base62.

use rand::CryptoRng;
use sophra_primitives::base62::digit;
pub(super) use sophra_primitives::base62::is_base62;
use zeroize::Zeroizing;

/// The largest multiple of 62 in a byte: higher bytes would favour the first digits.
const UNBIASED: u8 = u8::MAX / 62 * 62;

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
