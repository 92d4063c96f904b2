//! Usage: counted in memory per key, added to the rows once an interval, exactly once.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
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
    /// Held while a batch is under way, so that there is one at a time.
    flushing: tokio::sync::Mutex<Flushing>,
}

/// What is being stored.
#[derive(Debug, Default)]
struct Flushing {
    /// A batch whose outcome is unknown stays, and is sent again as it was.
    batch: Batch,
    /// Counters whose turn comes after it.
    due: VecDeque<Arc<Counter>>,
}

impl Flushing {
    /// No more than a statement can store in time: a batch that is too large would never be stored.
    const BATCH_MAX: usize = 1_000;

    /// Makes the next batch unless one is left, in the order of ids; whether there is one. A key may have had several
    /// counters.
    fn fill(&mut self) -> bool {
        if !self.batch.ids.is_empty() {
            return true;
        }
        let mut counts = BTreeMap::<String, (i64, Timestamp)>::new();
        for counter in self.due.drain(..self.due.len().min(Self::BATCH_MAX)) {
            // The next use finds zero, and lists the counter again.
            let uses = counter.uses.swap(0, Ordering::AcqRel);
            let last_used = Timestamp::from_millis(counter.last_used.load(Ordering::Relaxed));
            let count = counts
                .entry(counter.key_id.to_string())
                .or_insert((0, last_used));
            *count = (count.0 + uses, count.1.max(last_used));
        }
        self.batch.number += 1;
        for (id, (uses, last_used)) in counts {
            self.batch.ids.push(id);
            self.batch.uses.push(uses);
            self.batch.last_used.push(last_used);
        }
        !self.batch.ids.is_empty()
    }

    /// Ends the batch, and counts again what was left out of it; whether nothing was.
    fn sent(&mut self, skipped: &HashSet<String>) -> bool {
        let sent = std::mem::take(&mut self.batch);
        self.batch.number = sent.number;
        let uses = sent.ids.into_iter().zip(sent.uses).zip(sent.last_used);
        for ((id, uses), last_used) in uses.filter(|((id, _), _)| skipped.contains(id)) {
            self.due.push_back(Arc::new(Counter {
                key_id: id.into(),
                uses: AtomicI64::new(uses),
                last_used: AtomicI64::new(last_used.millis()),
            }));
        }
        skipped.is_empty()
    }

    fn uses(&self) -> i64 {
        self.batch.uses.iter().sum::<i64>() + uses(&self.due)
    }
}

fn uses<'a>(counters: impl IntoIterator<Item = &'a Arc<Counter>>) -> i64 {
    counters
        .into_iter()
        .map(|counter| counter.uses.load(Ordering::Acquire))
        .sum()
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
        let waiting = uses(&*locked(&self.counting));
        let under_way = self
            .flushing
            .try_lock()
            .map_or(0, |flushing| flushing.uses());
        u64::try_from(waiting + under_way).unwrap_or(0)
    }

    /// Stores all that was counted before the call. On a fault the counts are kept.
    pub async fn flush(&self, store: &Store) -> Result<(), Error> {
        const PAUSE: Duration = Duration::from_millis(50);
        /// Batches with rows that somebody has locked.
        const TRIES: usize = 20;
        let mut flushing = self.flushing.lock().await;
        self.flush_admin_tokens(store).await?;
        // What is counted from here on is for the next flush, so that this one ends.
        flushing
            .due
            .extend(std::mem::take(&mut *locked(&self.counting)));
        let mut tries = 0;
        while flushing.fill() {
            let skipped = store.add_usage(&self.process, &flushing.batch).await?;
            if flushing.sent(&skipped.into_iter().collect()) {
                continue;
            }
            tries += 1;
            if tries == TRIES {
                return Err(Error::unavailable(
                    "Rows of used keys are locked in the database: their usage is kept",
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
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
