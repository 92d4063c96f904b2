//! The handle of a charge: what the request was charged, as numbers, and a MAC of them, as base64url (RFC 4648).
//! The MAC is `SipHash-2-4-128`, which is made for short messages: an HMAC would take as long as the rest of a verify.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use siphasher::sip128::SipHasher24;
use subtle::ConstantTimeEq;

use crate::cache::CacheKey;
use crate::quota_leases::Taken;

/// The length of the MAC, in bytes.
const MAC: usize = 16;
/// The longest handle, in bytes before their encoding. One with 36 limits and 32 quotas is shorter, unless a request took units
/// of many grants.
const BYTES_MAX: usize = 1_536;

/// The longest handle, in characters.
const HANDLE_MAX: usize = BYTES_MAX.div_ceil(3) * 4;

/// What a request was charged.
#[derive(Debug)]
pub struct Charge {
    pub number: u64,
    /// Microseconds since the start of the service.
    pub(super) at_us: u64,
    pub key: CacheKey,
    /// The limits and quotas that the key had, see `CachedKey::shape`.
    pub shape: u32,
    /// By which the usage of the key has grown.
    pub cost: u64,
    /// Whether that is the sum of the costs that were said of limits and quotas.
    pub is_sum: bool,
    /// The tag of the request; empty if it had none.
    pub tag: String,
    /// What follows, limit by limit and quota by quota.
    rest: std::vec::IntoIter<u64>,
}

/// What a request was charged of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitCharge {
    pub cost: u32,
    /// Whether the request said so.
    pub is_said: bool,
    /// Milliseconds from the charge until the limit would have been full again.
    pub reset_ms: u64,
}

/// Room for most handles, in bytes.
const BYTES: usize = 96;

/// A handle that is being written.
pub struct Written(Vec<u8>);

impl Written {
    pub(super) fn begin(number: u64, at_us: u64, key: CacheKey, shape: u32) -> Self {
        let mut written = Self(Vec::with_capacity(BYTES));
        written.0.extend_from_slice(&key.to_bytes());
        for number in [u64::from(shape), number, at_us] {
            written.number(number);
        }
        written
    }

    /// Adds what the request cost, and its tag.
    pub(super) fn request(&mut self, cost: u64, is_sum: bool, tag: &str) {
        self.number(cost);
        self.number(is_sum.into());
        self.number(tag.len().try_into().unwrap_or(u64::MAX));
        for byte in tag.bytes() {
            self.number(byte.into());
        }
    }

    /// Adds what the next limit was charged.
    pub fn limit(&mut self, cost: u32, is_said: bool, reset_ms: u64) {
        self.number(u64::from(cost) << 1 | u64::from(is_said));
        self.number(reset_ms);
    }

    /// Adds what the next quota was charged.
    pub fn quota(&mut self, taken: &Taken, is_said: bool) {
        self.number(is_said.into());
        self.number(taken.iter().count().try_into().unwrap_or(u64::MAX));
        for (balance, units) in taken.iter() {
            self.number(balance.unsigned_abs());
            self.number(units.unsigned_abs());
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

    pub(super) fn sealed(mut self, keyed: &SipHasher24) -> Option<String> {
        let mac = mac(&self.0, keyed);
        self.0.extend_from_slice(&mac);
        (self.0.len() <= BYTES_MAX).then(|| BASE64_URL_SAFE_NO_PAD.encode(&self.0))
    }
}

fn mac(body: &[u8], keyed: &SipHasher24) -> [u8; MAC] {
    keyed.hash(body).as_bytes()
}

fn low_bits(number: u64) -> u8 {
    (number & 0x7f) as u8
}

impl Charge {
    pub(super) fn read(handle: &str, keyed: &SipHasher24) -> Option<Self> {
        if handle.len() > HANDLE_MAX {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(handle).ok()?;
        let (body, claimed) = bytes.split_last_chunk::<MAC>()?;
        if !bool::from(mac(body, keyed).ct_eq(claimed)) {
            return None;
        }
        let (key, rest) = body.split_first_chunk()?;
        let mut rest = numbers(rest).into_iter();
        Some(Self {
            key: CacheKey::of_bytes(*key),
            shape: u32::try_from(rest.next()?).ok()?,
            number: rest.next()?,
            at_us: rest.next()?,
            cost: rest.next()?,
            is_sum: rest.next()? == 1,
            tag: text(&mut rest)?,
            rest,
        })
    }

    /// What the next limit was charged. The limits come first, in the order in which they were written.
    pub fn next_limit(&mut self) -> Option<LimitCharge> {
        let said = self.rest.next()?;
        let cost = u32::try_from(said >> 1).ok()?;
        let reset_ms = self.rest.next()?;
        Some(LimitCharge {
            cost,
            is_said: said & 1 == 1,
            reset_ms,
        })
    }

    /// What the next quota was charged, and whether the request said so.
    pub fn next_quota(&mut self) -> Option<(Taken, bool)> {
        let is_said = self.rest.next()? == 1;
        let mut taken = Taken::default();
        for _ in 0..self.rest.next()? {
            let balance = i64::try_from(self.rest.next()?).ok()?;
            taken.add(balance, i64::try_from(self.rest.next()?).ok()?);
        }
        Some((taken, is_said))
    }
}

fn text(rest: &mut std::vec::IntoIter<u64>) -> Option<String> {
    let length = usize::try_from(rest.next()?).ok()?;
    let bytes = rest.take(length).map(|byte| u8::try_from(byte).ok());
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
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
