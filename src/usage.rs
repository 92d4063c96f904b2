//! Usage: counted in memory per key, then added to the rows in batches, exactly once.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::model::{KeyUse, Timestamp, UsageBatch};

/// The uses of one key since the last flush. Counting takes no lock.
#[derive(Debug)]
pub struct UseCounter {
    key_id: Arc<str>,
    /// The reset generation under which the costs were charged.
    generation: i32,
    uses: AtomicI64,
    /// The cost of the uses against the rate limit, if there is one.
    cost: AtomicI64,
    last_used: AtomicI64,
}

impl UseCounter {
    #[must_use]
    pub fn new(key_id: Arc<str>, generation: i32) -> Self {
        Self {
            key_id,
            generation,
            uses: AtomicI64::new(0),
            cost: AtomicI64::new(0),
            last_used: AtomicI64::new(i64::MIN),
        }
    }

    fn take(&self) -> KeyUse {
        // The next use finds zero and lists the counter again.
        let uses = self.uses.swap(0, Ordering::AcqRel);
        KeyUse {
            uses,
            cost: self.cost.swap(0, Ordering::AcqRel),
            generation: self.generation,
            last_used: Timestamp::from_millis(self.last_used.load(Ordering::Relaxed)),
        }
    }
}

impl From<(String, KeyUse)> for UseCounter {
    fn from((key_id, counted): (String, KeyUse)) -> Self {
        Self {
            key_id: key_id.into(),
            generation: counted.generation,
            uses: AtomicI64::new(counted.uses),
            cost: AtomicI64::new(counted.cost),
            last_used: AtomicI64::new(counted.last_used.millis()),
        }
    }
}

/// The usage that this process has counted and not yet stored. Bounded by the number of keys.
#[derive(Debug)]
pub struct Usage {
    /// Identifies this process among all that flush. The batches of each process are numbered.
    pub process: String,
    /// Counters that are not at zero.
    counting: Mutex<Vec<Arc<UseCounter>>>,
    /// The usage that is being stored. Locked before `counting`.
    in_flight: Mutex<InFlight>,
    /// Held during a flush, so that one batch is in flight at a time.
    turn: tokio::sync::Mutex<()>,
    admin_tokens: Mutex<HashMap<String, Timestamp>>,
}

impl Usage {
    #[must_use]
    pub fn new(process: String) -> Self {
        Self {
            process,
            counting: Mutex::default(),
            in_flight: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            admin_tokens: Mutex::default(),
        }
    }

    /// Counts one accepted verify and its cost against the key's limit.
    pub fn record(&self, counter: &Arc<UseCounter>, cost: Option<NonZeroU32>, now: Timestamp) {
        counter.last_used.fetch_max(now.millis(), Ordering::Relaxed);
        if let Some(cost) = cost {
            counter.cost.fetch_add(cost.get().into(), Ordering::AcqRel);
        }
        if counter.uses.fetch_add(1, Ordering::AcqRel) == 0 {
            self.counting.lock().push(Arc::clone(counter));
        }
    }

    pub fn record_admin_token(&self, id: &str, now: Timestamp) {
        self.admin_tokens.lock().insert(id.to_owned(), now);
    }

    /// Takes the last uses of admin tokens. They are times, not counts, so a lost one is replaced by the next.
    pub fn take_admin_tokens(&self) -> HashMap<String, Timestamp> {
        std::mem::take(&mut *self.admin_tokens.lock())
    }

    /// Whether nothing is left to store, uses of admin tokens included.
    pub fn is_empty(&self) -> bool {
        self.pending() == 0 && self.admin_tokens.lock().is_empty()
    }

    /// Verifies not yet stored. Those in flight count until they are known to be stored.
    pub fn pending(&self) -> u64 {
        let in_flight = self.in_flight.lock();
        let waiting = uses(&*self.counting.lock());
        u64::try_from(waiting + in_flight.uses()).unwrap_or(0)
    }

    /// Begins to flush everything counted before the call. Later uses are left to the next flush, so that this one
    /// ends.
    pub async fn begin_flush(&self) -> FlushTurn<'_> {
        let turn = self.turn.lock().await;
        let mut in_flight = self.in_flight.lock();
        let counted = std::mem::take(&mut *self.counting.lock());
        in_flight.due.extend(counted);
        FlushTurn {
            in_flight: &self.in_flight,
            _turn: turn,
        }
    }
}

/// The exclusive right to flush.
pub struct FlushTurn<'a> {
    in_flight: &'a Mutex<InFlight>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl FlushTurn<'_> {
    /// The next batch to store, in the order of ids; `None` once everything is stored.
    pub fn next_batch(&self) -> Option<Arc<UsageBatch>> {
        let mut in_flight = self.in_flight.lock();
        if in_flight.batch.is_empty() {
            in_flight.fill();
        }
        Some(Arc::clone(&in_flight.batch)).filter(|batch| !batch.is_empty())
    }

    /// Marks the batch as stored. The skipped keys are counted again.
    pub fn stored(&self, skipped: &HashSet<String>) {
        self.in_flight.lock().stored(skipped);
    }
}

/// The usage that is being stored. After a fault it is kept for the next flush.
#[derive(Debug, Default)]
struct InFlight {
    /// A batch whose outcome is unknown is sent again unchanged.
    batch: Arc<UsageBatch>,
    /// Counters for later batches.
    due: VecDeque<Arc<UseCounter>>,
}

impl InFlight {
    /// Bounded by what a statement can store in time: a batch that is too large would never be stored.
    const BATCH_MAX: usize = 1_000;

    /// Fills the next batch. A key may have had several counters.
    fn fill(&mut self) {
        let mut uses = BTreeMap::<String, KeyUse>::new();
        for counter in self.due.drain(..self.due.len().min(Self::BATCH_MAX)) {
            let counted = counter.take();
            uses.entry(counter.key_id.to_string())
                .and_modify(|sum| sum.add(counted))
                .or_insert(counted);
        }
        self.batch = Arc::new(UsageBatch {
            number: self.batch.number + 1,
            uses: uses.into_iter().collect(),
        });
    }

    fn stored(&mut self, skipped: &HashSet<String>) {
        let emptied = UsageBatch {
            number: self.batch.number,
            uses: Vec::new(),
        };
        let batch = std::mem::replace(&mut self.batch, Arc::new(emptied));
        let skipped = batch.uses.iter().filter(|(id, _)| skipped.contains(id));
        self.due
            .extend(skipped.map(|left_out| Arc::new(left_out.clone().into())));
    }

    fn uses(&self) -> i64 {
        let batch = self.batch.uses.iter().map(|(_, counted)| counted.uses);
        batch.sum::<i64>() + uses(&self.due)
    }
}

fn uses<'a>(counters: impl IntoIterator<Item = &'a Arc<UseCounter>>) -> i64 {
    counters
        .into_iter()
        .map(|counter| counter.uses.load(Ordering::Acquire))
        .sum()
}
