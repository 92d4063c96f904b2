//! The clients of cached keys, and whether what was read of them is current.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::background::Background;
use crate::cache::{Row, Rows, Sequence};
use crate::cached_limits::{CachedLimit, LimitOfKey};
use crate::cached_quotas::{CachedQuota, QuotaOfKey};
use crate::error::Error;
use crate::model::{ClientPolicy, Level, LimitOwner};
use crate::single_flight::SingleFlight;

/// The client of a key with those above it, as they were at one position in the sequence of changes of clients.
#[derive(Clone)]
pub struct CachedClient {
    row: Arc<ClientRow>,
    read_at: Sequence,
    /// `None` if the client has no row.
    levels: Option<Arc<ClientLevels>>,
}

/// A client that has a row, its parent and its grandparent. Keys of the same client share them.
struct ClientLevels {
    /// Unique within the process.
    serial: u64,
    policies: Box<[ClientPolicy]>,
    /// Those of each of them.
    limits: Box<[Box<[CachedLimit]>]>,
    quotas: Box<[Box<[CachedQuota]>]>,
    has_bounds: bool,
    rows: Box<[Arc<ClientRow>]>,
}

type ClientRow = Row<Mutex<Option<LastRead>>>;

/// What was last read of a client. It keeps nothing in memory that no key needs.
struct LastRead {
    read_at: Sequence,
    levels: Option<Weak<ClientLevels>>,
}

impl CachedClient {
    /// The client and those above it, the client first. Empty if the client has no row.
    pub fn policies(&self) -> &[ClientPolicy] {
        match &self.levels {
            Some(levels) => &levels.policies,
            None => &[],
        }
    }

    /// The limits of the client and of those above it, level by level.
    pub fn limits(&self) -> impl Iterator<Item = LimitOfKey<'_>> {
        let limits = self.of_levels(|levels| &levels.limits);
        limits.map(|(level, owner, limit)| LimitOfKey {
            level,
            owner,
            limit,
        })
    }

    /// Whether it has a limit or a quota, or a client above it does.
    pub fn has_bounds(&self) -> bool {
        self.levels.as_ref().is_some_and(|levels| levels.has_bounds)
    }

    /// The quotas of the client and of those above it, level by level.
    pub fn quotas(&self) -> impl Iterator<Item = QuotaOfKey<'_>> {
        let quotas = self.of_levels(|levels| &levels.quotas);
        quotas.map(|(level, owner, quota)| QuotaOfKey {
            level,
            owner,
            quota,
        })
    }

    /// The entries of a list of each level, with whose they are.
    fn of_levels<'a, T: 'a>(
        &'a self,
        lists: impl Fn(&'a ClientLevels) -> &'a [Box<[T]>],
    ) -> impl Iterator<Item = (Level, LimitOwner<'a>, &'a T)> {
        let levels = self.levels.iter().flat_map(move |levels| {
            let policies = levels.policies.iter().zip(lists(levels));
            policies.zip(Level::CLIENTS)
        });
        levels.flat_map(|((policy, entries), level)| {
            let owner = LimitOwner::Client(&policy.client_id);
            entries.iter().map(move |entry| (level, owner, entry))
        })
    }

    /// Identifies what was read of the client and those above it; 0 if the client has no row.
    pub fn serial(&self) -> u64 {
        self.levels.as_ref().map_or(0, |levels| levels.serial)
    }

    /// The client itself, if it has a row.
    pub fn policy(&self) -> Option<&ClientPolicy> {
        self.policies().first()
    }

    /// The part of this key in the memory that all keys of the client share, in bytes.
    pub fn bytes(&self) -> usize {
        let Some(levels) = &self.levels else { return 0 };
        let bytes: usize = levels.policies.iter().map(ClientPolicy::bytes).sum();
        bytes / Arc::strong_count(levels).max(1)
    }
}

/// The clients of all cached keys.
pub struct CachedClients {
    rows: Rows<Mutex<Option<LastRead>>>,
    flights: SingleFlight<Arc<str>, CachedClient>,
}

impl CachedClients {
    #[must_use]
    pub fn new(background: Background, now: Instant) -> Self {
        Self {
            rows: Rows::new(now),
            flights: SingleFlight::new(background),
        }
    }

    /// The current position, to be recorded before a client is read.
    pub fn sequence(&self) -> Sequence {
        self.rows.sequence()
    }

    /// The client that was read from `read_at` on, with those above it.
    pub fn read(
        &self,
        client_id: &str,
        policies: Vec<ClientPolicy>,
        read_at: Sequence,
    ) -> CachedClient {
        let row = self.rows.get(client_id);
        let mut last = row.shared.lock();
        let levels = (!policies.is_empty()).then(|| {
            let known = last.as_ref().and_then(LastRead::levels);
            known
                .filter(|known| *known.policies == *policies)
                .unwrap_or_else(|| self.levels(policies))
        });
        if last.as_ref().is_none_or(|last| last.read_at <= read_at) {
            *last = Some(LastRead {
                read_at,
                levels: levels.as_ref().map(Arc::downgrade),
            });
        }
        drop(last);
        CachedClient {
            row,
            read_at,
            levels,
        }
    }

    fn levels(&self, policies: Vec<ClientPolicy>) -> Arc<ClientLevels> {
        static SERIAL: AtomicU64 = AtomicU64::new(1);
        let ids = policies.iter().map(|level| &level.client_id);
        // One that has no row yet may get one.
        let above = policies.last().and_then(|top| top.parent_id.as_ref());
        let rows = ids.chain(above).map(|id| self.rows.get(id));
        let limits = policies.iter();
        let limits = limits.map(|level| CachedLimit::of_client(&level.limits));
        let quotas = policies.iter();
        let quotas = quotas.map(|level| CachedQuota::all_of(&level.quotas));
        let has_bounds =
            |level: &ClientPolicy| !level.limits.is_empty() || !level.quotas.is_empty();
        Arc::new(ClientLevels {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            has_bounds: policies.iter().any(has_bounds),
            rows: rows.collect(),
            limits: limits.collect(),
            quotas: quotas.collect(),
            policies: policies.into(),
        })
    }

    /// Whether neither the client nor any above it has changed since they were read.
    pub fn is_current(&self, client: &CachedClient) -> bool {
        if self.rows.are_unchanged(client.read_at) {
            return true;
        }
        let is_unchanged = |row: &Arc<ClientRow>| self.rows.is_unchanged(row, client.read_at);
        let levels = client.levels.as_ref();
        is_unchanged(&client.row)
            && levels.is_none_or(|levels| levels.rows.iter().all(is_unchanged))
    }

    /// The client as it is now: as it was last read, if that is current, otherwise as one of all concurrent callers reads it.
    /// `None` while many other clients are being read: rows of keys are read many at a time, with their clients.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn current<F>(
        &self,
        client: &CachedClient,
        read: impl FnOnce(Arc<str>) -> F,
    ) -> Result<Option<CachedClient>, Error>
    where
        F: Future<Output = Result<CachedClient, Error>> + Send + 'static,
    {
        const FLIGHTS_MAX: usize = 4;
        if let Some(last) = self.last_read(&client.row) {
            return Ok(Some(last));
        }
        if self.flights.in_flight() >= FLIGHTS_MAX {
            return Ok(None);
        }
        let id = &client.row.id;
        self.flights
            .run(Arc::clone(id), || Ok(read(Arc::clone(id))))
            .await
            .map(Some)
    }

    fn last_read(&self, row: &Arc<ClientRow>) -> Option<CachedClient> {
        let last = row.shared.lock();
        let last = last.as_ref()?;
        let levels = match &last.levels {
            Some(levels) => Some(levels.upgrade()?),
            None => None,
        };
        let client = CachedClient {
            row: Arc::clone(row),
            read_at: last.read_at,
            levels,
        };
        self.is_current(&client).then_some(client)
    }

    /// Records that a client has changed.
    pub fn changed(&self, client_id: &str) {
        self.rows.changed(client_id);
    }

    /// Records that every client may have changed.
    pub fn all_changed(&self) {
        self.rows.all_changed();
    }

    /// Makes what was read stale before it is older than `max_age`, see [`Rows::expire`].
    pub fn expire(&self, now: Duration, max_age: Duration) {
        self.rows.expire(now, max_age);
    }

    /// Drops what is known of clients whose keys are not cached, once it is too much.
    pub fn sweep(&self, keys: usize) {
        self.rows.sweep(keys);
    }
}

impl LastRead {
    fn levels(&self) -> Option<Arc<ClientLevels>> {
        self.levels.as_ref()?.upgrade()
    }
}
