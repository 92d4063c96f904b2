//! The limiters of all limits.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use governor::clock::{Clock, MonotonicClock};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::limiter::{Limiter, Timeline};
use super::rule::Rule;
use crate::model::{LimitCost, LimitId, of_same_owner};

/// Parts of the map with a lock each: a sweep holds up only one at a time.
const SHARDS: usize = 64;

/// The limiters of one owner are in the same shard, beside each other.
type Shard<C> = BTreeMap<LimitId, Arc<Limiter<C>>>;

/// The limiters of all limits. Exact under any concurrency.
pub struct Limiters<C: Clock = MonotonicClock> {
    shards: [RwLock<Shard<C>>; SHARDS],
    hasher: RandomState,
    /// Held while several limits are charged, all or none.
    together: Mutex<()>,
    /// Whether this process has been told of any limit that it is alone with it.
    some_alone: AtomicBool,
    /// Until when it knows which of them it is alone with.
    known_until: AtomicU64,
    timeline: Arc<Timeline<C>>,
}

impl<C: Clock> Limiters<C> {
    /// Starts with no use of any limit.
    #[must_use]
    pub fn new(clock: C) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            together: Mutex::default(),
            some_alone: AtomicBool::new(false),
            known_until: AtomicU64::new(0),
            timeline: Arc::new(Timeline::new(clock)),
        }
    }

    /// The limiter of a limit, for checks without another lookup. It stays that of the limit for as long as the handle is
    /// held.
    pub fn entry(&self, id: &LimitId, rule: Rule) -> Arc<Limiter<C>> {
        if let Some(limiter) = self.find(id) {
            return limiter;
        }
        let mut shard = self.shard(id.owner()).write();
        let fresh = || Arc::new(Limiter::new(rule, Arc::clone(&self.timeline)));
        Arc::clone(shard.entry(id.clone()).or_insert_with(fresh))
    }

    /// Waits until nobody charges several limits: what is charged of the first ones and then given back would look to others as
    /// if it were used.
    pub fn together(&self) -> MutexGuard<'_, ()> {
        self.together.lock()
    }

    /// Notes that the key or client was changed now that owns this limit, and perhaps its limits.
    pub fn note_change(&self, of_owner: &LimitId) {
        let shard = self.shard(of_owner.owner()).read();
        of_same_owner(&shard, of_owner).for_each(|limiter| limiter.note_change());
    }

    /// Notes that the row of the owner was read, and not changed since.
    pub fn note_read(&self, id: &LimitId, rule: Rule) {
        if let Some(limiter) = self.find(id) {
            limiter.note_read(rule);
        }
    }

    /// Notes that every key and client may have been changed now.
    pub fn note_change_of_all(&self) {
        self.for_each(Limiter::note_change);
        self.end_alone_all();
    }

    fn for_each(&self, note: impl Fn(&Limiter<C>)) {
        for shard in &self.shards {
            shard.read().values().for_each(|limiter| note(limiter));
        }
    }

    /// The number of limiters in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len()).sum()
    }

    /// Whether no limiter is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes what was charged and is to be told to the other processes now. With `all` nothing is held back.
    pub fn take_unshared(&self, all: bool) -> Vec<(LimitId, LimitCost)> {
        let mut costs = Vec::new();
        for shard in &self.shards {
            let shard = shard.read();
            let charged = shard.iter().filter_map(|(id, limiter)| {
                let cost = limiter.take_unshared(all)?;
                Some((id.clone(), cost))
            });
            costs.extend(charged);
        }
        costs
    }

    /// Whether something was charged that the other processes have yet to be told.
    pub fn has_unshared(&self) -> bool {
        let mut shards = self.shards.iter();
        shards.any(|shard| shard.read().values().any(|limiter| limiter.has_unshared()))
    }

    /// Notes of limits whether this process was alone with them when it told its use.
    pub fn note_told(&self, limiter: &Limiter<C>, is_alone: bool) {
        limiter.note_told(is_alone);
        if is_alone {
            self.some_alone.store(true, Ordering::Relaxed);
        }
    }

    /// Whether this process may be alone with limits, so that it must ask whether it still is. Returns the time of the question.
    pub fn ask_whether_alone(&self) -> Option<u64> {
        let some_alone = self.some_alone.load(Ordering::Relaxed);
        some_alone.then(|| self.timeline.now())
    }

    /// Notes that others use these limits too.
    pub fn end_alone(&self, limits: &[LimitId]) {
        let known_until = self.known_until.load(Ordering::Relaxed);
        for id in limits {
            if let Some(limiter) = self.find(id) {
                limiter.end_alone(known_until);
            }
        }
    }

    /// Notes that others use no other limits that this process was alone with at that time.
    pub fn known_alone(&self, asked_at: u64) {
        self.known_until.fetch_max(asked_at, Ordering::Relaxed);
    }

    /// Notes that others may use any limit: it cannot be known for which this process is alone.
    pub fn end_alone_all(&self) {
        if self.some_alone.swap(false, Ordering::Relaxed) {
            let known_until = self.known_until.load(Ordering::Relaxed);
            self.for_each(|limiter| limiter.end_alone(known_until));
        }
    }

    /// Returns the limits of which a part is used, and perhaps by others too. Drops limiters that are full again, like new ones,
    /// unless a handle is held and may still charge them.
    pub fn sweep(&self) -> Vec<LimitId> {
        let mut used = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.write();
            shard.retain(|id, limiter| {
                // Handles are cloned under the shard's lock, so a limiter without other handles gets none while it is
                // held.
                let is_unshared = Arc::get_mut(limiter).is_some();
                let is_used = limiter.unfollow_if_unused();
                if is_used && !limiter.is_alone() {
                    used.push(id.clone());
                }
                is_used || !is_unshared || limiter.has_unshared()
            });
        }
        used
    }

    /// The limiter of a limit, if it has one.
    pub fn find(&self, id: &LimitId) -> Option<Arc<Limiter<C>>> {
        self.shard(id.owner()).read().get(id).cloned()
    }

    fn shard(&self, owner: &str) -> &RwLock<Shard<C>> {
        let [low, ..] = self.hasher.hash_one(owner).to_le_bytes();
        &self.shards[usize::from(low) % SHARDS]
    }
}

#[cfg(test)]
mod tests;
