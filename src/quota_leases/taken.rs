//! What a request has taken of a quota.

use smallvec::SmallVec;

/// The units taken of each balance. Most requests take from one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken(SmallVec<[(i64, i64); 1]>);

impl Taken {
    pub(super) fn add(&mut self, balance: i64, units: i64) {
        self.0.push((balance, units));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.0.iter().copied()
    }
}
