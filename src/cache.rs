//! What was proved and read before, and whether it may still be believed.
//!
//! Everything is on one number line, the sequence of changes that this process has seen: an entry remembers where
//! it was read, a row where it last changed. An entry is current while its row has not changed since. So a change
//! costs one store, whatever is cached, and a verify in flight cannot bring back what was revoked meanwhile.

mod digest;
mod row;

pub use digest::Digest;
pub use row::Row;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache as Bounded, DefaultLifecycle};

use digest::{DigestHash, DigestKey};
use row::Rows;

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
pub enum Found<V> {
    Current(Arc<Entry<V>>),
    /// Proved once; the row has changed since, or the changes cannot be told.
    Stale(Arc<Entry<V>>),
    /// Refused a moment ago, and nothing has changed since.
    Refused,
    Nothing,
}

#[derive(Debug, Clone, Copy)]
struct Refusal {
    read_at: Sequence,
    until: Instant,
}

type Store<V> = Bounded<Digest, V, UnitWeighter, DigestHash, DefaultLifecycle<Digest, V>>;

fn bounded<V: Clone>(capacity: usize) -> Store<V> {
    let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
    Bounded::with(
        capacity,
        weight,
        UnitWeighter,
        DigestHash,
        DefaultLifecycle::default(),
    )
}

/// Bounded; what is used again resists a scan of keys that are used once.
pub struct Cache<V> {
    key: DigestKey,
    entries: Store<Arc<Entry<V>>>,
    refused: Store<Refusal>,
    rows: Rows,
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
    pub fn new(capacity: usize, staleness: Duration, key: [u8; 32], now: Instant) -> Self {
        Self {
            key: DigestKey::new(key),
            entries: bounded(capacity),
            refused: bounded(REFUSED_CAPACITY),
            rows: Rows::new(now),
            sequence: AtomicU64::new(0),
            all_changed: AtomicU64::new(0),
            read_until: AtomicU64::new(0),
            start: now,
            staleness,
        }
    }

    /// The digest of the whole presented key, under a key of this process.
    pub fn digest(&self, presented: &str) -> Digest {
        self.key.digest(presented)
    }

    pub fn find(&self, digest: &Digest, now: Instant) -> Found<V> {
        if let Some(entry) = self.entries.get(digest) {
            return if self.is_current(&entry) && self.is_trusted(now) {
                Found::Current(entry)
            } else {
                Found::Stale(entry)
            };
        }
        match self.refused.get(digest) {
            Some(refusal)
                if refusal.read_at == self.sequence()
                    && now < refusal.until
                    && self.is_trusted(now) =>
            {
                Found::Refused
            }
            _ => Found::Nothing,
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

    /// Keeps what was proved. If the row has changed meanwhile, the entry is stale from the start.
    pub fn insert(
        &self,
        digest: Digest,
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
        self.entries.insert(digest, Arc::clone(&entry));
        entry
    }

    /// Keeps that a presented key was refused, for a moment.
    pub fn insert_refusal(&self, digest: Digest, read_at: Sequence, now: Instant) {
        self.entries.remove(&digest);
        self.refused.insert(
            digest,
            Refusal {
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
