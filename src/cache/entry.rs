//! One entry, and the place that it takes up in the cache.

use std::sync::Arc;

use quick_cache::Weighter;

use super::key::CacheKey;
use super::row::Row;
use super::rows::Sequence;

/// The authentication of one presented key against its row, as the row was at one position in the sequence.
pub struct Entry<V> {
    pub value: V,
    pub row: Arc<Row>,
    pub(super) read_at: Sequence,
    /// Unique within the process, across all services started in it.
    pub serial: u64,
    /// The same for all entries of one presented key, each of which replaces the one before.
    pub key: CacheKey,
    /// The number of places that it takes up.
    pub(super) weight: u64,
}

impl<V> Entry<V> {
    pub fn read_at(&self) -> Sequence {
        self.read_at
    }
}

/// The bytes that one place in the cache stands for: a key whose texts and lists are larger takes up several, so that the
/// capacity bounds the bytes too.
#[derive(Debug, Clone, Copy)]
pub struct Place(usize);

impl Place {
    /// Enough for an ordinary key.
    pub const ORDINARY: Self = Self(1_024);
    /// Enough for the largest key that this package writes. A small cache would otherwise have no room for it, and each
    /// verify would cost a hash.
    const LARGE: usize = 512 * 1_024;
    const SMALL_CAPACITY: usize = 1_024;

    pub(super) fn of(capacity: usize) -> Self {
        if capacity < Self::SMALL_CAPACITY {
            Self(Self::LARGE)
        } else {
            Self::ORDINARY
        }
    }

    pub fn weight(self, bytes: usize) -> u64 {
        let places = bytes.div_ceil(self.0).max(1);
        u64::try_from(places).unwrap_or(u64::MAX)
    }
}

/// Weighs an entry by the places that it takes up.
#[derive(Debug, Clone, Copy)]
pub(super) struct ByBytes;

impl<V> Weighter<CacheKey, Arc<Entry<V>>> for ByBytes {
    fn weight(&self, _: &CacheKey, entry: &Arc<Entry<V>>) -> u64 {
        entry.weight
    }
}
