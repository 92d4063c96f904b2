//! What a request has taken of a quota.

use smallvec::SmallVec;

/// The units taken of each balance. Most requests take from one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken(SmallVec<[(i64, i64); 1]>);

impl Taken {
    pub fn add(&mut self, balance: i64, units: i64) {
        self.0.push((balance, units));
    }

    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        self.0.iter().copied()
    }

    /// The units of all balances.
    #[must_use]
    pub fn units(&self) -> i64 {
        self.iter().map(|(_, units)| units).sum()
    }
}
