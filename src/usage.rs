//! Usage: counted in memory per key, added to the rows once an interval, exactly once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::model::Timestamp;
use crate::store::{Batch, Store};

#[derive(Debug, Clone, Copy)]
struct Count {
    uses: i64,
    last_used: Timestamp,
}

/// What this process has counted and not yet stored. Bounded by the number of keys.
#[derive(Debug)]
pub struct Usage {
    /// Names this process among all that flush; its batches are numbered.
    process: String,
    keys: Mutex<HashMap<String, Count>>,
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
            keys: Mutex::default(),
            admin_tokens: Mutex::default(),
            flushing: tokio::sync::Mutex::default(),
        }
    }

    /// Counts one accepted verify.
    pub fn record(&self, key_id: &str, now: Timestamp) {
        let mut keys = locked(&self.keys);
        match keys.get_mut(key_id) {
            Some(count) => {
                count.uses += 1;
                count.last_used = count.last_used.max(now);
            }
            None => {
                keys.insert(
                    key_id.to_owned(),
                    Count {
                        uses: 1,
                        last_used: now,
                    },
                );
            }
        }
    }

    pub fn record_admin_token(&self, id: &str, now: Timestamp) {
        locked(&self.admin_tokens).insert(id.to_owned(), now);
    }

    /// Verifies not yet stored. What is under way counts until it is known to be stored.
    pub fn pending(&self) -> u64 {
        let waiting: i64 = locked(&self.keys).values().map(|count| count.uses).sum();
        let under_way = self
            .flushing
            .try_lock()
            .map_or(0, |batch| batch.uses.iter().sum());
        u64::try_from(waiting + under_way).unwrap_or(0)
    }

    /// Stores all that was counted before the call. On a fault the counts are kept.
    pub async fn flush(&self, store: &Store) -> Result<(), Error> {
        let mut batch = self.flushing.lock().await;
        // First what is left of a flush that failed, then what has come since.
        for _ in 0..2 {
            if batch.ids.is_empty() {
                self.fill(&mut batch);
            }
            if batch.ids.is_empty() {
                break;
            }
            store.add_usage(&self.process, &batch).await?;
            *batch = Batch {
                number: batch.number,
                ..Batch::default()
            };
        }
        self.flush_admin_tokens(store).await
    }

    /// Moves what was counted into the next batch, in the order of ids.
    fn fill(&self, batch: &mut Batch) {
        let counts: BTreeMap<String, Count> = locked(&self.keys).drain().collect();
        batch.number += 1;
        for (id, count) in counts {
            batch.ids.push(id);
            batch.uses.push(count.uses);
            batch.last_used.push(count.last_used);
        }
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
