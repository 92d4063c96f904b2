//! Messages of the process to itself: numbers and a MAC of them, as base64url (RFC 4648).
//! The MAC is `SipHash-2-4-128`, which is made for short messages: an HMAC would take as long as the rest of a verify.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use siphasher::sip128::SipHasher24;
use smallvec::SmallVec;
use subtle::ConstantTimeEq;

/// The length of the MAC, in bytes.
const MAC: usize = 16;
/// Room for most messages, in bytes.
const BYTES: usize = 96;
/// What a message begins with.
const HEAD: usize = 16;

/// A message that is being written.
pub struct Message(SmallVec<[u8; BYTES]>);

/// The numbers of a message that was read.
pub type Numbers = std::vec::IntoIter<u64>;

/// Seals messages, and opens those that it has sealed.
pub struct Sealer(SipHasher24);

impl Message {
    #[must_use]
    pub fn new(head: [u8; HEAD]) -> Self {
        Self(SmallVec::from_slice(&head))
    }

    /// Adds numbers.
    #[inline(never)]
    pub fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.number(*number);
        }
    }

    /// Adds bytes, each as a number, behind how many they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len().try_into().unwrap_or(u64::MAX));
        for byte in bytes {
            self.number((*byte).into());
        }
    }

    /// Seven bits in each byte, the lowest first; the eighth says that more follow.
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(low_bits(number) | 0x80);
            number >>= 7;
        }
        self.0.push(low_bits(number));
    }
}

impl Sealer {
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(&secret))
    }

    /// The text of a message; `None` if it has more than `bytes_max` bytes before they are encoded.
    #[must_use]
    #[inline(never)]
    pub fn seal(&self, Message(mut bytes): Message, bytes_max: usize) -> Option<String> {
        let mac = self.mac(&bytes);
        bytes.extend_from_slice(&mac);
        (bytes.len() <= bytes_max).then(|| BASE64_URL_SAFE_NO_PAD.encode(&bytes))
    }

    /// What a message says; `None` if this one has not sealed it, or its text has more than `bytes_max` bytes.
    #[must_use]
    pub fn open(&self, text: &str, bytes_max: usize) -> Option<([u8; HEAD], Numbers)> {
        if text.len() > bytes_max.div_ceil(3) * 4 {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, claimed) = bytes.split_last_chunk::<MAC>()?;
        if !bool::from(self.mac(body).ct_eq(claimed)) {
            return None;
        }
        let (head, rest) = body.split_first_chunk()?;
        Some((*head, numbers(rest).into_iter()))
    }

    fn mac(&self, body: &[u8]) -> [u8; MAC] {
        self.0.hash(body).as_bytes()
    }
}

fn low_bits(number: u64) -> u8 {
    (number & 0x7f) as u8
}

fn numbers(bytes: &[u8]) -> Vec<u64> {
    let (mut numbers, mut number, mut shift) = (Vec::new(), 0, 0);
    for byte in bytes {
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            numbers.push(number);
            (number, shift) = (0, 0);
        }
    }
    numbers
}
