//! An instant as JavaScript and the database represent it.

use std::num::NonZeroI64;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z, as in a JavaScript `Date`, in the years 1 to 9999.
///
/// Stored as the distance from just before the first of them. This is never zero, so an `Option` of it is no larger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroI64);

/// 0001-01-01T00:00:00.000Z
const FIRST: i64 = -62_135_596_800_000;
/// 9999-12-31T23:59:59.999Z
const LAST: i64 = 253_402_300_799_999;

impl Timestamp {
    /// 0001-01-01T00:00:00.000Z
    pub const MIN: Self = Self::at_distance(1);
    /// 9999-12-31T23:59:59.999Z
    pub const MAX: Self = Self::at_distance(LAST - FIRST + 1);

    const fn at_distance(distance: i64) -> Self {
        match NonZeroI64::new(distance) {
            Some(distance) => Self(distance),
            None => Self::at_distance(1),
        }
    }

    /// Clamps the instant to the years 1 to 9999, so that every layer can hold it.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self::at_distance(millis.clamp(FIRST, LAST) - FIRST + 1)
    }

    #[must_use]
    pub fn millis(self) -> i64 {
        self.0.get() - 1 + FIRST
    }

    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_millis(self.millis().saturating_add(seconds.saturating_mul(1_000)))
    }

    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_millis(self.millis().saturating_add(millis))
    }

    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self::from_millis(self.millis() - self.millis().rem_euclid(1_000))
    }

    /// Milliseconds from now until this instant; 0 if it has passed.
    #[must_use]
    pub fn millis_after(self, now: Self) -> u64 {
        u64::try_from(self.millis().saturating_sub(now.millis())).unwrap_or(0)
    }
}

impl Serialize for Timestamp {
    /// Serializes as milliseconds since the epoch, from which JavaScript makes a `Date`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.millis())
    }
}
