//! The handle of a charge: what the request was charged, as a message of this process to itself.

use sophra_primitives::{Message, Numbers, Sealer};

use crate::cache::CacheKey;
use crate::quota_leases::Taken;

/// The longest handle, in bytes before their encoding. One with 36 limits and 32 quotas is shorter, unless a request took units
/// of many grants.
const BYTES_MAX: usize = 1_536;

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
    rest: Numbers,
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

/// A handle that is being written.
pub struct Written(Message);

impl Written {
    pub(super) fn begin(number: u64, at_us: u64, key: CacheKey, shape: u32) -> Self {
        let mut message = Message::new(key.to_bytes());
        message.numbers(&[shape.into(), number, at_us]);
        Self(message)
    }

    /// Adds what the request cost, and its tag.
    pub(super) fn request(&mut self, cost: u64, is_sum: bool, tag: &str) {
        self.0.numbers(&[cost, is_sum.into()]);
        self.0.bytes(tag.as_bytes());
    }

    /// Adds what the next limit was charged.
    pub fn limit(&mut self, cost: u32, is_said: bool, reset_ms: u64) {
        let said = u64::from(cost) << 1 | u64::from(is_said);
        self.0.numbers(&[said, reset_ms]);
    }

    /// Adds what the next quota was charged.
    pub fn quota(&mut self, taken: &Taken, is_said: bool) {
        let count = taken.iter().count().try_into().unwrap_or(u64::MAX);
        self.0.numbers(&[is_said.into(), count]);
        for (balance, units) in taken.iter() {
            self.0
                .numbers(&[balance.unsigned_abs(), units.unsigned_abs()]);
        }
    }

    pub(super) fn sealed(self, sealer: &Sealer) -> Option<String> {
        sealer.seal(self.0, BYTES_MAX)
    }
}

impl Charge {
    pub(super) fn read(handle: &str, sealer: &Sealer) -> Option<Self> {
        let (key, mut rest) = sealer.open(handle, BYTES_MAX)?;
        Some(Self {
            key: CacheKey::of_bytes(key),
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

fn text(rest: &mut Numbers) -> Option<String> {
    let length = usize::try_from(rest.next()?).ok()?;
    let bytes = rest.take(length).map(|byte| u8::try_from(byte).ok());
    String::from_utf8(bytes.collect::<Option<_>>()?).ok()
}
