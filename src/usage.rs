//! Usage: counted in memory per key and per limit, then stored in batches, exactly once.

mod costs;
mod counter;
mod in_flight;
mod tags;
mod tempo;

pub use counter::{Counted, CountedKey, UseCounter};
pub use tempo::Tempo;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use self::costs::CostsInFlight;
use self::counter::uses;
use self::in_flight::InFlight;
use self::tags::Tags;
use crate::model::{CostBatch, LimitCost, LimitId, Timestamp, UsageBatch};

/// The usage that this process has counted and not yet stored. Bounded by the number of keys.
#[derive(Debug)]
pub struct Usage {
    /// Identifies this process among all that flush. The batches of each process are numbered.
    pub process: String,
    /// Counters that are not at zero.
    counting: Mutex<Vec<Arc<UseCounter>>>,
    tags: Tags,
    /// The uses that are being stored. Locked before `counting`.
    in_flight: Mutex<InFlight>,
    /// What limits have been used, as far as it is being stored.
    costs: Mutex<CostsInFlight>,
    tempo: Mutex<Tempo>,
    /// Entries about limits that others have begun to use, which were read and are yet to be deleted.
    pub entries_read: Mutex<Vec<i64>>,
    /// Held during a flush, so that one batch is in flight at a time.
    turn: tokio::sync::Mutex<()>,
    admin_tokens: Mutex<HashMap<String, Timestamp>>,
    /// Held while uses of admin tokens are stored, so that a flush waits for those that another one has taken.
    admin_turn: tokio::sync::Mutex<()>,
}

impl Usage {
    #[must_use]
    pub fn new(process: String, tempo: Tempo) -> Self {
        Self {
            process,
            counting: Mutex::default(),
            tags: Tags::default(),
            in_flight: Mutex::default(),
            costs: Mutex::default(),
            tempo: Mutex::new(tempo),
            entries_read: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            admin_tokens: Mutex::default(),
            admin_turn: tokio::sync::Mutex::default(),
        }
    }

    /// Counts a verify.
    pub fn record(
        &self,
        counter: &Arc<UseCounter>,
        client_id: &str,
        verified: &Counted<'_>,
        now: Timestamp,
    ) {
        if counter.count(client_id, verified, now, &self.tags) {
            self.counting.lock().push(Arc::clone(counter));
        }
    }

    pub fn record_admin_token(&self, id: &str, now: Timestamp) {
        self.admin_tokens.lock().insert(id.to_owned(), now);
    }

    /// Waits until no other flush stores uses of admin tokens.
    pub async fn admin_turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.admin_turn.lock().await
    }

    /// Takes the last uses of admin tokens. They are times, not counts, so a lost one is replaced by the next.
    pub fn take_admin_tokens(&self) -> HashMap<String, Timestamp> {
        std::mem::take(&mut *self.admin_tokens.lock())
    }

    /// Whether nothing is left to store, uses of admin tokens included.
    pub fn is_empty(&self) -> bool {
        self.in_flight.lock().is_empty()
            && self.counting.lock().is_empty()
            && self.admin_tokens.lock().is_empty()
    }

    /// Accepted verifies not yet stored. Those in flight count until they are known to be stored.
    pub fn pending(&self) -> u64 {
        let in_flight = self.in_flight.lock();
        let waiting = uses(&*self.counting.lock());
        u64::try_from(waiting + in_flight.uses()).unwrap_or(0)
    }

    /// How often uses are stored.
    pub fn tempo(&self) -> MutexGuard<'_, Tempo> {
        self.tempo.lock()
    }

    /// Waits for the turn to store what was counted.
    pub async fn begin_flush(&self) -> FlushTurn<'_> {
        FlushTurn {
            _turn: self.turn.lock().await,
            usage: self,
        }
    }
}

/// The exclusive right to flush.
pub struct FlushTurn<'a> {
    usage: &'a Usage,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

impl FlushTurn<'_> {
    /// Adds what was used of limits to the costs that are stored.
    pub fn add_costs(&self, costs: Vec<(LimitId, LimitCost)>) {
        self.usage.costs.lock().add(costs);
    }

    /// Begins to store all uses counted before the call. Later ones are left to the next flush, so that this one ends. Of the
    /// keys that were set aside, those that are due are tried again.
    pub fn begin_uses(&self, is_due: impl Fn(&str) -> bool) {
        let mut in_flight = self.usage.in_flight.lock();
        if in_flight.has_no_counts() {
            self.usage.tags.clear();
        }
        in_flight.add(std::mem::take(&mut *self.usage.counting.lock()));
        in_flight.try_again(is_due);
    }

    /// The next batch of costs to store; `None` once all are stored.
    pub fn next_costs(&self) -> Option<Arc<CostBatch>> {
        self.usage.costs.lock().next_batch()
    }

    /// The next batch of uses to store; `None` once all are stored.
    pub fn next_uses(&self) -> Option<Arc<UsageBatch>> {
        self.usage.in_flight.lock().next_batch()
    }

    /// Whether uses of the key are set aside.
    pub fn is_set_aside(&self, key_id: &str) -> bool {
        self.usage.in_flight.lock().is_set_aside(key_id)
    }

    /// Marks the costs of the batch as stored.
    pub fn costs_stored(&self) {
        self.usage.costs.lock().stored();
    }

    /// Takes back the costs that the database rejected. They are stored in halves, until the limit that cannot be stored is
    /// alone: its cost is dropped.
    pub fn costs_rejected(&self) -> Option<LimitId> {
        self.usage.costs.lock().rejected()
    }

    /// Marks the uses of the batch as stored. The skipped keys are counted again.
    pub fn uses_stored(&self, skipped: &HashSet<String>) {
        self.usage.in_flight.lock().uses_stored(skipped);
    }

    /// Takes back the uses that the database rejected. They are stored in halves, until the key whose row cannot be
    /// written is alone: that key is set aside and returned. Keys that were set aside before are tried one by one.
    pub fn uses_rejected(&self) -> Option<String> {
        self.usage.in_flight.lock().uses_rejected()
    }

    /// Whether everything is stored but what was set aside.
    pub fn is_trying_again(&self) -> bool {
        self.usage.in_flight.lock().is_trying_again()
    }
}
