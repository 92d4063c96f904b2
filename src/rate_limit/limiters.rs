//! The limiters of all keys.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use governor::clock::{Clock, MonotonicClock};

use parking_lot::RwLock;

use super::limiter::{Limiter, Timeline};
use super::rule::Rule;

/// Parts of the map with a lock each: a sweep holds up only one at a time.
const SHARDS: usize = 64;

type Shard<C> = HashMap<Box<str>, Arc<Limiter<C>>>;

/// The limiters of all keys. Exact under any concurrency.
pub struct Limiters<C: Clock = MonotonicClock> {
    shards: [RwLock<Shard<C>>; SHARDS],
    hasher: RandomState,
    timeline: Arc<Timeline<C>>,
}

impl<C: Clock> Limiters<C> {
    /// Starts with no use of any key.
    #[must_use]
    pub fn new(clock: C) -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::new(),
            timeline: Arc::new(Timeline::new(clock)),
        }
    }

    /// The limiter of a key, for checks without another lookup. It stays the key's limiter for as long as the handle is
    /// held.
    pub fn entry(&self, key_id: &str, rule: Rule) -> Arc<Limiter<C>> {
        if let Some(limiter) = self.find(key_id) {
            return limiter;
        }
        let mut shard = self.shard(key_id).write();
        let fresh = || Arc::new(Limiter::new(rule, Arc::clone(&self.timeline)));
        Arc::clone(shard.entry(key_id.into()).or_insert_with(fresh))
    }

    /// Notes that a key was changed now, and perhaps its limit.
    pub fn note_change(&self, key_id: &str) {
        if let Some(limiter) = self.find(key_id) {
            limiter.note_change();
        }
    }

    /// Notes that the row of a key was read, and not changed since.
    pub fn note_read(&self, key_id: &str, rule: Rule) {
        if let Some(limiter) = self.find(key_id) {
            limiter.note_read(rule);
        }
    }

    /// Notes that every key may have been changed now.
    pub fn note_change_of_all(&self) {
        for shard in &self.shards {
            shard
                .read()
                .values()
                .for_each(|limiter| limiter.note_change());
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

    /// Returns the keys that have used part of their limits. Drops limiters that are full again, like new ones, unless
    /// a handle is held and may still charge them.
    pub fn sweep(&self) -> Vec<Box<str>> {
        let mut used = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.write();
            shard.retain(|key_id, limiter| {
                // Handles are cloned under the shard's lock, so a limiter without other handles gets none while it is
                // held.
                let is_unshared = Arc::get_mut(limiter).is_some();
                let is_used = limiter.unfollow_if_unused();
                if is_used {
                    used.push(key_id.clone());
                }
                is_used || !is_unshared
            });
            if shard.len() < shard.capacity() / 4 {
                shard.shrink_to_fit();
            }
        }
        used
    }

    /// The limiter of a key, if it has one.
    pub fn find(&self, key_id: &str) -> Option<Arc<Limiter<C>>> {
        self.shard(key_id).read().get(key_id).cloned()
    }

    fn shard(&self, key_id: &str) -> &RwLock<Shard<C>> {
        let [low, ..] = self.hasher.hash_one(key_id).to_le_bytes();
        &self.shards[usize::from(low) % SHARDS]
    }
}

#[cfg(test)]
mod tests;
