//! Usage: counted in memory per key, added to the rows once an interval, exactly once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::model::Timestamp;
use crate::store::{Batch, Store};

/// The uses of one key since the last flush. Counting takes no lock.
#[derive(Debug)]
pub struct Counter {
    key_id: Arc<str>,
    uses: AtomicI64,
    last_used: AtomicI64,
}

impl Counter {
    #[must_use]
    pub fn new(key_id: Arc<str>) -> Self {
        Self {
            key_id,
            uses: AtomicI64::new(0),
            last_used: AtomicI64::new(i64::MIN),
        }
    }
}

/// What this process has counted and not yet stored. Bounded by the number of keys.
#[derive(Debug)]
pub struct Usage {
    /// Names this process among all that flush; its batches are numbered.
    process: String,
    /// Counters that are not at zero.
    counting: Mutex<Vec<Arc<Counter>>>,
    admin_tokens: Mutex<HashMap<String, Timestamp>>,
    /// Held while a batch is under way, so that there is one at a time. A batch whose outcome is unknown stays and
    /// is sent again as it was.
    flushing: tokio::sync::Mutex<Batch>,
}

impl Usage {
    #[must_use]
    pub fn new(process: String) -> Self {
        Self {
            process,
            counting: Mutex::default(),
            admin_tokens: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
        }
    }

    /// Counts one accepted verify.
    pub fn record(&self, counter: &Arc<Counter>, now: Timestamp) {
        counter.last_used.fetch_max(now.millis(), Ordering::Relaxed);
        if counter.uses.fetch_add(1, Ordering::AcqRel) == 0 {
            locked(&self.counting).push(Arc::clone(counter));
        }
    }

    pub fn record_admin_token(&self, id: &str, now: Timestamp) {
        locked(&self.admin_tokens).insert(id.to_owned(), now);
    }

    /// Verifies not yet stored. What is under way counts until it is known to be stored.
    pub fn pending(&self) -> u64 {
        let uses = |counter: &Arc<Counter>| counter.uses.load(Ordering::Acquire);
        let waiting: i64 = locked(&self.counting).iter().map(uses).sum();
        let under_way = self
            .flushing
            .try_lock()
            .map_or(0, |batch| batch.uses.iter().sum());
        u64::try_from(waiting + under_way).unwrap_or(0)
    }

    /// Stores all that was counted before the call. On a fault the counts are kept.
    pub async fn flush(&self, store: &Store) -> Result<(), Error> {
        const PAUSE: Duration = Duration::from_millis(50);
        /// Batches in a row with rows that somebody has locked.
        const TRIES: usize = 20;
        let mut batch = self.flushing.lock().await;
        self.flush_admin_tokens(store).await?;
        let mut tries = 0;
        while tries < TRIES {
            // First what is left of a flush that failed, then what has come since, and what was locked.
            if batch.ids.is_empty() {
                self.fill(&mut batch);
            }
            if batch.ids.is_empty() {
                return Ok(());
            }
            let skipped = store.add_usage(&self.process, &batch).await?;
            let sent = std::mem::take(&mut *batch);
            batch.number = sent.number;
            let locked_rows = !skipped.is_empty();
            self.take_back(sent, &skipped.into_iter().collect());
            if locked_rows {
                tries += 1;
                tokio::time::sleep(PAUSE).await;
            }
        }
        Err(Error::unavailable(
            "Rows of used keys are locked in the database: their usage is kept",
        ))
    }

    /// Counts again what was left out of a batch.
    fn take_back(&self, sent: Batch, skipped: &HashSet<String>) {
        let uses = sent.ids.into_iter().zip(sent.uses).zip(sent.last_used);
        for ((id, uses), last_used) in uses.filter(|((id, _), _)| skipped.contains(id)) {
            let counter = Counter::new(id.into());
            counter.uses.store(uses, Ordering::Release);
            counter
                .last_used
                .store(last_used.millis(), Ordering::Relaxed);
            locked(&self.counting).push(Arc::new(counter));
        }
    }

    /// Moves what was counted into the next batch, in the order of ids. A key may have had several counters.
    fn fill(&self, batch: &mut Batch) {
        let mut counts = BTreeMap::<String, (i64, Timestamp)>::new();
        for counter in self.take_counters() {
            // The next use finds zero, and lists the counter again.
            let uses = counter.uses.swap(0, Ordering::AcqRel);
            let last_used = Timestamp::from_millis(counter.last_used.load(Ordering::Relaxed));
            let count = counts
                .entry(counter.key_id.to_string())
                .or_insert((0, last_used));
            *count = (count.0 + uses, count.1.max(last_used));
        }
        batch.number += 1;
        for (id, (uses, last_used)) in counts {
            batch.ids.push(id);
            batch.uses.push(uses);
            batch.last_used.push(last_used);
        }
    }

    /// No more than a statement can store in time: a batch that is too large would never be stored.
    fn take_counters(&self) -> Vec<Arc<Counter>> {
        const BATCH_MAX: usize = 1_000;
        let mut counting = locked(&self.counting);
        let kept = counting.len().saturating_sub(BATCH_MAX);
        counting.split_off(kept)
    }

    /// A time, not a count: a lost one is replaced by the next.
    async fn flush_admin_tokens(&self, store: &Store) -> Result<(), Error> {
        let (ids, at): (Vec<_>, Vec<_>) = locked(&self.admin_tokens).drain().unzip();
        if ids.is_empty() {
            return Ok(());
        }
        store.touch_admin_tokens(&ids, &at).await
    }
}

/// A panic elsewhere leaves counts that are still right.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
