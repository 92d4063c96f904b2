//! The entries, and whether they are current.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache as QuickCache, DefaultLifecycle};

use super::key::{CacheKey, CacheKeyHash, CacheKeyer};
use super::row::{Row, RowTable};
use crate::error::Error;

/// A place in the sequence of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(u64);

/// Something proved for one presented key, as its row was at one place in the sequence.
pub struct Entry<V> {
    pub value: V,
    pub row: Arc<Row>,
    read_at: Sequence,
    /// Never used twice in a process, whatever is started and closed in it.
    pub serial: u64,
}

impl<V> Entry<V> {
    pub fn read_at(&self) -> Sequence {
        self.read_at
    }
}

/// What the cache knows of a presented key.
pub enum CacheLookup<V> {
    Current(Arc<Entry<V>>),
    /// Proved once; the row has changed since, or the changes cannot be told.
    Stale(Arc<Entry<V>>),
    /// Refused a moment ago, and nothing has changed since.
    Refused,
    Miss,
}

#[derive(Debug, Clone, Copy)]
struct NegativeEntry {
    read_at: Sequence,
    until: Instant,
}

type BoundedMap<V> =
    QuickCache<CacheKey, V, UnitWeighter, CacheKeyHash, DefaultLifecycle<CacheKey, V>>;

fn bounded<V: Clone>(capacity: usize) -> BoundedMap<V> {
    let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
    QuickCache::with(
        capacity,
        weight,
        UnitWeighter,
        CacheKeyHash,
        DefaultLifecycle::default(),
    )
}

/// Bounded; what is used again resists a scan of keys that are used once.
pub struct Cache<V> {
    keyer: CacheKeyer,
    entries: BoundedMap<Arc<Entry<V>>>,
    refused: BoundedMap<NegativeEntry>,
    rows: RowTable,
    sequence: AtomicU64,
    /// Where all rows changed, as far as can be told.
    all_changed: AtomicU64,
    /// Until when the change log was read, in milliseconds since `start`.
    read_until: AtomicU64,
    start: Instant,
    staleness: Duration,
}

/// 0 is none.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// Refusals kept; they cost the attacker and not the database.
const REFUSED_CAPACITY: usize = 10_000;
const REFUSED_FOR: Duration = Duration::from_secs(5);

impl<V> Cache<V> {
    /// At most `capacity` entries, believed for at most `staleness` after the changes were last read.
    #[must_use]
    pub fn new(capacity: usize, staleness: Duration, secret: [u8; 32], now: Instant) -> Self {
        Self {
            keyer: CacheKeyer::new(secret),
            entries: bounded(capacity),
            refused: bounded(REFUSED_CAPACITY),
            rows: RowTable::new(now),
            sequence: AtomicU64::new(0),
            all_changed: AtomicU64::new(0),
            read_until: AtomicU64::new(0),
            start: now,
            staleness,
        }
    }

    /// The cache key of a presented credential.
    pub fn key(&self, presented: &str) -> CacheKey {
        self.keyer.key(presented)
    }

    pub fn find(&self, key: &CacheKey, now: Instant) -> CacheLookup<V> {
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
                    && now < refusal.until
                    && self.is_trusted(now) =>
            {
                CacheLookup::Refused
            }
            _ => CacheLookup::Miss,
        }
    }

    /// Whether the entry's row has not changed since it was read.
    pub fn is_current(&self, entry: &Entry<V>) -> bool {
        let all = self.all_changed.load(Ordering::Acquire);
        let Sequence(read_at) = entry.read_at;
        entry.row.changed_at().max(all) <= read_at
    }

    /// Whether changes were read lately enough for anything here to be believed.
    fn is_trusted(&self, now: Instant) -> bool {
        self.stale_for(now) <= self.staleness
    }

    /// How long ago the changes were last known.
    pub fn stale_for(&self, now: Instant) -> Duration {
        let read_until = Duration::from_millis(self.read_until.load(Ordering::Acquire));
        now.saturating_duration_since(self.start)
            .saturating_sub(read_until)
    }

    /// The place to remember before a row is read.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.sequence.load(Ordering::Acquire))
    }

    /// The shared state of a row that was read from `read_at` on; `None`: it changed while it was read.
    pub fn row(&self, key_id: &str, read_at: Sequence) -> Option<Arc<Row>> {
        let row = self.rows.get(key_id);
        let changed = row
            .changed_at()
            .max(self.all_changed.load(Ordering::Acquire));
        (changed <= read_at.0).then_some(row)
    }

    /// Reads a row as it is at one place in the sequence of changes: a row that changes while it is read is read again.
    /// `None`: there is no such row.
    ///
    /// # Errors
    /// Those of `read`; [`Error::DatabaseUnavailable`] where the row keeps changing.
    pub async fn read_row<T, F>(
        &self,
        read: impl Fn() -> F,
        id: impl Fn(&T) -> &str,
    ) -> Result<(Option<(T, Arc<Row>)>, Sequence), Error>
    where
        F: Future<Output = Result<Option<T>, Error>>,
    {
        const TRIES: usize = 5;
        for _ in 1..TRIES {
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

    /// Keeps what was proved. If the row has changed meanwhile, the entry is stale from the start.
    pub fn insert(
        &self,
        key: CacheKey,
        value: V,
        row: Arc<Row>,
        read_at: Sequence,
    ) -> Arc<Entry<V>> {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            value,
            row,
            read_at,
            serial,
        });
        self.entries.insert(key, Arc::clone(&entry));
        entry
    }

    /// Keeps that a presented key was refused, for a moment.
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

    /// A row has changed: what was read of it before is stale.
    pub fn changed(&self, key_id: &str) {
        let sequence = self.next_sequence();
        self.rows.get(key_id).set_changed(sequence);
    }

    /// Lifts a suspension by this process that the database may not know yet.
    pub fn lift_suspension(&self, key_id: &str) {
        self.rows.get(key_id).lift_suspension();
    }

    /// Everything may have changed.
    pub fn all_changed(&self) {
        let sequence = self.next_sequence();
        self.all_changed.fetch_max(sequence, Ordering::AcqRel);
    }

    /// The changes are known up to this instant.
    pub fn read_until(&self, at: Instant) {
        let millis = at.saturating_duration_since(self.start).as_millis();
        self.read_until
            .fetch_max(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    /// Forgets rows that nothing cached belongs to, once there are too many of them.
    pub fn sweep(&self) {
        self.rows.sweep(self.entries.len());
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::AcqRel) + 1
    }
}

#[cfg(test)]
mod tests;
