//! Rows of keys that were used recently, loaded before anybody presents the keys. A row proves nothing: only a presented
//! key that its digest matches is authenticated by it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{Mutex, MutexGuard};

use crate::cache::{Place, Row, Sequence};
use crate::cached_clients::CachedClient;
use crate::cached_roles::KeyRoles;
use crate::model::Moment;
use crate::store::Candidate;

/// A row, as it was at one position in the sequence of changes.
pub struct PreloadedKey {
    pub candidate: Candidate,
    pub client: CachedClient,
    pub roles: KeyRoles,
    pub row: Arc<Row>,
    pub read_at: Sequence,
    pub loaded_at: Moment,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Box<str>, Arc<PreloadedKey>> for ByBytes {
    fn weight(&self, _: &Box<str>, key: &Arc<PreloadedKey>) -> u64 {
        Place::ORDINARY
            .weight(key.candidate.policy.bytes() + key.client.bytes() + key.roles.bytes())
    }
}

type Rows = Cache<Box<str>, Arc<PreloadedKey>, ByBytes>;

/// The rows by the lookups of their keys. There is nothing as long as nothing was loaded.
#[derive(Default)]
pub struct PreloadedKeys {
    rows: ArcSwapOption<Rows>,
    turn: Mutex<()>,
}

impl PreloadedKeys {
    /// Waits until nothing else is being loaded.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Makes room for this many ordinary rows, or fewer large ones. What was loaded before is dropped.
    pub fn begin(&self, capacity: usize) {
        let weight = u64::try_from(capacity).unwrap_or(u64::MAX);
        let rows = Cache::with_weighter(capacity, weight, ByBytes);
        self.rows.store(Some(Arc::new(rows)));
    }

    pub fn insert(&self, lookup: Box<str>, key: PreloadedKey) {
        if let Some(rows) = self.rows() {
            rows.insert(lookup, Arc::new(key));
        }
    }

    /// The row of a key, if it was loaded.
    pub fn find(&self, lookup: &str) -> Option<Arc<PreloadedKey>> {
        self.rows()?.get(lookup)
    }

    /// Drops a row that is in the cache of authenticated keys now, or has changed.
    pub fn remove(&self, lookup: &str) {
        if let Some(rows) = self.rows() {
            rows.remove(lookup);
        }
    }

    pub fn len(&self) -> usize {
        self.rows().map_or(0, |rows| rows.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn rows(&self) -> Option<Arc<Rows>> {
        self.rows.load_full()
    }
}
