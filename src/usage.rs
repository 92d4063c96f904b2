//! Usage: counted in memory per key, handed over in batches to be added to the rows, exactly once.

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
    /// Under which the costs were charged.
    generation: i32,
    uses: AtomicI64,
    /// What the uses cost of the rate limit, where there is one.
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
        // The next use finds zero, and lists the counter again.
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

/// What this process has counted and not yet stored. Bounded by the number of keys.
#[derive(Debug)]
pub struct Usage {
    /// Names this process among all that flush; its batches are numbered.
    pub process: String,
    /// Counters that are not at zero.
    counting: Mutex<Vec<Arc<UseCounter>>>,
    /// What is being stored. Locked before `counting`.
    in_flight: Mutex<InFlight>,
    /// Whose turn it is to store, so that one batch is under way at a time.
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

    /// Counts one accepted verify, and what it cost of the key's limit.
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

    /// Uses of admin tokens since the last time. A time, not a count: a lost one is replaced by the next.
    pub fn take_admin_tokens(&self) -> HashMap<String, Timestamp> {
        std::mem::take(&mut *self.admin_tokens.lock())
    }

    /// Whether nothing waits to be stored, uses of admin tokens included.
    pub fn is_empty(&self) -> bool {
        self.pending() == 0 && self.admin_tokens.lock().is_empty()
    }

    /// Verifies not yet stored. What is under way counts until it is known to be stored.
    pub fn pending(&self) -> u64 {
        let in_flight = self.in_flight.lock();
        let waiting = uses(&*self.counting.lock());
        u64::try_from(waiting + in_flight.uses()).unwrap_or(0)
    }

    /// Begins to hand over all that was counted before the call; what is counted from here on is for the next flush,
    /// so that this one ends.
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

/// A turn of storing.
pub struct FlushTurn<'a> {
    in_flight: &'a Mutex<InFlight>,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl FlushTurn<'_> {
    /// The batch that is to be stored next, in the order of ids; `None`: all is stored.
    pub fn next_batch(&self) -> Option<Arc<UsageBatch>> {
        let mut in_flight = self.in_flight.lock();
        if in_flight.batch.is_empty() {
            in_flight.fill();
        }
        Some(Arc::clone(&in_flight.batch)).filter(|batch| !batch.is_empty())
    }

    /// The batch is stored: what was left out of it is counted again.
    pub fn stored(&self, skipped: &HashSet<String>) {
        self.in_flight.lock().stored(skipped);
    }
}

/// What is being stored. After a fault it stays as it is, for the next time.
#[derive(Debug, Default)]
struct InFlight {
    /// A batch whose outcome is unknown is sent again as it was.
    batch: Arc<UsageBatch>,
    /// Counters whose turn comes after it.
    due: VecDeque<Arc<UseCounter>>,
}

impl InFlight {
    /// No more than a statement can store in time: a batch that is too large would never be stored.
    const BATCH_MAX: usize = 1_000;

    /// A key may have had several counters.
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
