//! The entries, and whether they are current.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter, Weighter};

use super::entry::{ByBytes, Entry, Place};
use super::key::{CacheKey, CacheKeyHash, CacheKeyer};
use super::row::Row;
use super::rows::{Rows, Sequence};
use crate::error::Error;
use crate::model::Moment;

/// The result of a cache lookup.
pub enum CacheLookup<V> {
    Current(Arc<Entry<V>>),
    /// The key was authenticated, but its row has changed since, or it is unknown whether it has.
    Stale(Arc<Entry<V>>),
    /// Refused a moment ago, with no change since.
    Refused,
    Miss,
}

#[derive(Debug, Clone, Copy)]
struct NegativeEntry {
    read_at: Sequence,
    until: Instant,
}

type BoundedMap<V, W> = QuickCache<CacheKey, V, W, CacheKeyHash, DefaultLifecycle<CacheKey, V>>;

fn bounded<V: Clone, W: Weighter<CacheKey, V> + Clone>(
    capacity: usize,
    weighter: W,
) -> BoundedMap<V, W> {
    /// About as many places, or more, has each part of the cache: it must have room for the largest entry.
    const PART: usize = 1_024;
    let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let options = OptionsBuilder::new()
        .estimated_items_capacity(capacity)
        .weight_capacity(weight)
        .shards((capacity / PART).clamp(1, 4 * threads))
        .build();
    let lifecycle = DefaultLifecycle::default();
    match options {
        Ok(options) => QuickCache::with_options(options, weighter, CacheKeyHash, lifecycle),
        // It is refused only without a capacity.
        Err(_) => QuickCache::with(capacity, weight, weighter, CacheKeyHash, lifecycle),
    }
}

/// A bounded cache. Entries in use survive a scan of keys that are used only once.
pub struct Cache<V> {
    keyer: CacheKeyer,
    entries: BoundedMap<Arc<Entry<V>>, ByBytes>,
    place: Place,
    refused: BoundedMap<NegativeEntry, UnitWeighter>,
    rows: Rows,
    /// The time up to which the change log was read, in milliseconds since `start`.
    read_until: AtomicI64,
    /// The same by the clock of the system, which goes on while the machine is suspended.
    read_until_there: AtomicI64,
    start: Instant,
    staleness: Duration,
}

/// Starts at 1; 0 means none.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// The most refusals in the cache. They spare the database repeated lookups of the same wrong key.
const REFUSED_CAPACITY: usize = 10_000;
const REFUSED_FOR: Duration = Duration::from_secs(5);

impl<V> Cache<V> {
    /// Holds at most `capacity` ordinary entries, or fewer large ones. They are trusted for at most `staleness` after the
    /// changes were last read.
    #[must_use]
    pub fn new(capacity: usize, staleness: Duration, secret: [u8; 16], now: Moment) -> Self {
        Self {
            keyer: CacheKeyer::new(secret),
            entries: bounded(capacity, ByBytes),
            place: Place::of(capacity),
            refused: bounded(REFUSED_CAPACITY, UnitWeighter),
            rows: Rows::new(now.instant),
            read_until: AtomicI64::new(0),
            read_until_there: AtomicI64::new(now.time.millis()),
            start: now.instant,
            staleness,
        }
    }

    /// The cache key of a presented credential.
    pub fn key(&self, presented: &str) -> CacheKey {
        self.keyer.key(presented)
    }

    pub fn find(&self, key: &CacheKey, now: Moment) -> CacheLookup<V> {
        if let Some(entry) = self.entries.get(key) {
            return if self.is_current(&entry) && self.is_trusted(now) {
                CacheLookup::Current(entry)
            } else {
                CacheLookup::Stale(entry)
            };
        }
        match self.refused.get(key) {
            Some(refusal)
                if refusal.read_at == self.sequence()
                    && now.instant < refusal.until
                    && self.is_trusted(now) =>
            {
                CacheLookup::Refused
            }
            _ => CacheLookup::Miss,
        }
    }

    /// The entry of a presented key, whether or not it is current.
    pub fn known(&self, key: CacheKey) -> Option<Arc<Entry<V>>> {
        self.entries.get(&key)
    }

    /// Whether the row has not changed since the entry was read.
    pub fn is_current(&self, entry: &Entry<V>) -> bool {
        self.is_unchanged(&entry.row, entry.read_at)
    }

    /// Whether a row has not changed since it was read from `read_at` on.
    pub fn is_unchanged(&self, row: &Row, read_at: Sequence) -> bool {
        self.rows.is_unchanged(row, read_at)
    }

    /// Whether changes were read recently enough for entries to be trusted.
    pub fn is_trusted(&self, now: Moment) -> bool {
        self.stale_for(now) <= self.staleness
    }

    /// The time since the changes were last known, by the clock that says more.
    pub fn stale_for(&self, now: Moment) -> Duration {
        let stale = self.millis(now.instant) - self.read_until.load(Ordering::Acquire);
        let there = now.time.millis() - self.read_until_there.load(Ordering::Acquire);
        Duration::from_millis(u64::try_from(stale.max(there)).unwrap_or(0))
    }

    /// The current position, to be recorded before a row is read.
    pub fn sequence(&self) -> Sequence {
        self.rows.sequence()
    }

    /// The shared state of a row that was read from `read_at` on; `None` if the row has changed since.
    pub fn row(&self, key_id: &str, read_at: Sequence) -> Option<Arc<Row>> {
        let row = self.rows.get(key_id);
        self.is_unchanged(&row, read_at).then_some(row)
    }

    /// Reads a row at one position in the sequence of changes: a row that changes while it is read is read again.
    /// Returns `None` if there is no such row.
    ///
    /// # Errors
    /// The errors of `read`; [`Error::DatabaseUnavailable`] if the row keeps changing.
    pub async fn read_row<T, F>(
        &self,
        read: impl Fn() -> F,
        id: impl Fn(&T) -> &str,
    ) -> Result<(Option<(T, Arc<Row>)>, Sequence), Error>
    where
        F: Future<Output = Result<Option<T>, Error>>,
    {
        /// Maximum number of reads of a row that changes while it is read.
        const TRIES: usize = 4;
        for _ in 0..TRIES {
            let read_at = self.sequence();
            let Some(found) = read().await? else {
                return Ok((None, read_at));
            };
            if let Some(row) = self.row(id(&found), read_at) {
                return Ok((Some((found, row)), read_at));
            }
        }
        Err(Error::unavailable(
            "The row keeps changing while it is being read: try again",
        ))
    }

    /// Stores an authenticated key, whose texts and lists take up `bytes`. If the row has changed in the meantime, the
    /// entry is stale from the start.
    pub fn insert(
        &self,
        key: CacheKey,
        value: V,
        bytes: usize,
        row: Arc<Row>,
        read_at: Sequence,
    ) -> Arc<Entry<V>> {
        let entry = Arc::new(Entry {
            value,
            row,
            read_at,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            key,
            weight: self.place.weight(bytes),
        });
        self.entries.insert(key, Arc::clone(&entry));
        entry
    }

    /// Remembers for a moment that a presented key was refused.
    pub fn insert_refusal(&self, key: CacheKey, read_at: Sequence, now: Instant) {
        self.entries.remove(&key);
        self.refused.insert(
            key,
            NegativeEntry {
                read_at,
                until: now + REFUSED_FOR,
            },
        );
    }

    /// Records that a row has changed: whatever was read of it before is stale.
    pub fn changed(&self, key_id: &str) {
        self.rows.changed(key_id);
    }

    /// Lifts a suspension by this process that the database may not know yet.
    pub fn lift_suspension(&self, key_id: &str) {
        self.rows.get(key_id).shared.lift_suspension();
    }

    /// Records that every row may have changed.
    pub fn all_changed(&self) {
        self.rows.all_changed();
    }

    /// Records that the changes are known up to this instant.
    pub fn read_until(&self, at: Moment) {
        let (here, there) = (self.millis(at.instant), at.time.millis());
        self.read_until.fetch_max(here, Ordering::AcqRel);
        // This clock may be set back.
        self.read_until_there.store(there, Ordering::Release);
    }

    /// Records that time has passed without a read of the changes while the clock of the process stood still.
    pub fn unread_for(&self, time: Duration) {
        let millis = millis(time);
        let longer = |until: i64| Some(until.saturating_sub(millis));
        let _ = self
            .read_until
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, longer);
    }

    /// Makes entries stale before they are older than `max_age`, see [`Rows::expire`].
    pub fn expire(&self, now: Duration, max_age: Duration) {
        self.rows.expire(now, max_age);
    }

    /// Drops rows without cached entries, once there are too many of them. `others` rows are in use elsewhere.
    pub fn sweep(&self, others: usize) {
        self.rows.sweep(self.entries.len() + others);
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn millis(&self, at: Instant) -> i64 {
        millis(at.saturating_duration_since(self.start))
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
