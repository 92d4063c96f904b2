//! Rate limits per key: GCRA, the generic cell rate algorithm, by governor.
//!
//! `limit` requests may come at once, and used ones return evenly over the window. Kept apart from
//! the cache, so that neither an eviction nor an edit of a key forgets what it has used.

mod account;
mod limiter;
mod rule;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use governor::clock::{Clock, MonotonicClock};

pub use limiter::Limiter;
pub use rule::{Decision, RateLimit, Rule};

use limiter::Timeline;

/// Parts of the map with a lock each: a sweep never holds up more than one of them.
const SHARDS: usize = 64;

type Shard<C> = HashMap<Box<str>, Arc<Limiter<C>>>;

/// The limiters of all keys. Exact under any concurrency.
pub struct Limits<C: Clock = MonotonicClock> {
    shards: [RwLock<Shard<C>>; SHARDS],
    hasher: RandomState,
    timeline: Arc<Timeline<C>>,
}

impl<C: Clock> Limits<C> {
    /// No key has used anything yet.
    #[must_use]
    pub fn new(clock: C) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            timeline: Arc::new(Timeline::new(clock)),
        }
    }

    /// Charges a request that counts as `cost` to a key, if it is within the limit.
    ///
    /// When the rule is another one than last time, what was used is carried over.
    pub fn check(&self, key_id: &str, rule: Rule, cost: NonZeroU32) -> Decision {
        match self.find(key_id) {
            Some(limiter) => limiter.check(rule, cost),
            // Never allowed, so there is nothing to remember.
            None if cost > rule.limit => rule.too_costly(0),
            None => self.entry(key_id, rule).check(rule, cost),
        }
    }

    /// The limiter of a key, for checks without a look-up. It stays the key's limiter as long as
    /// somebody holds it.
    pub fn entry(&self, key_id: &str, rule: Rule) -> Arc<Limiter<C>> {
        if let Some(limiter) = self.find(key_id) {
            return limiter;
        }
        let mut shard = write(self.shard(key_id));
        let fresh = || Arc::new(Limiter::new(rule, Arc::clone(&self.timeline)));
        Arc::clone(shard.entry(key_id.into()).or_insert_with(fresh))
    }

    /// Forgets what a key has used.
    pub fn forgive(&self, key_id: &str) {
        if let Some(limiter) = self.find(key_id) {
            limiter.forgive();
        }
    }

    /// How many limiters are in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| read(shard).len()).sum()
    }

    /// Whether no limiter is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops the limiters that are full again, as a fresh one would be, unless somebody holds them
    /// and may charge them yet.
    pub fn sweep(&self) {
        for shard in &self.shards {
            let mut shard = write(shard);
            // Handles are taken under the shard's lock: whoever is alone here stays alone.
            shard.retain(|_, limiter| Arc::get_mut(limiter).is_none_or(|alone| !alone.is_full()));
            if shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit();
            }
        }
    }

    fn find(&self, key_id: &str) -> Option<Arc<Limiter<C>>> {
        read(self.shard(key_id)).get(key_id).cloned()
    }

    fn shard(&self, key_id: &str) -> &RwLock<Shard<C>> {
        let [low, ..] = self.hasher.hash_one(key_id).to_le_bytes();
        &self.shards[usize::from(low) % SHARDS]
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
