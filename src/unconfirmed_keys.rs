//! Keys whose creation the database did not confirm. Their plaintext was never returned, so their rows are deleted.

use parking_lot::Mutex;

use crate::error::Error;
use crate::model::{StoredHash, Timestamp};
use crate::store::Store;

/// How long a key is watched: a frozen server may run the insert long after the caller stopped waiting for it.
const WATCHED_SECONDS: i64 = 600;
/// The number of keys watched at most, so that the list cannot grow without bound in an outage.
const WATCHED_MAX: usize = 10_000;

#[derive(Debug, Clone)]
struct UnconfirmedKey {
    id: String,
    hash: StoredHash,
    since: Timestamp,
}

#[derive(Debug, Default)]
pub struct UnconfirmedKeys(Mutex<Vec<UnconfirmedKey>>);

impl UnconfirmedKeys {
    pub fn add(&self, id: String, hash: StoredHash, now: Timestamp) {
        let mut keys = self.0.lock();
        if keys.len() < WATCHED_MAX {
            keys.push(UnconfirmedKey {
                id,
                hash,
                since: now,
            });
        }
    }

    pub fn contains(&self, id: &str) -> bool {
        self.0.lock().iter().any(|key| key.id == id)
    }

    /// Deletes the rows that exist after all, and stops watching keys that were watched long enough. A key is watched until
    /// its statement is done, so a sweep may be cancelled.
    pub async fn sweep(&self, store: &Store, now: Timestamp) -> Result<(), Error> {
        let mut kept = 0;
        while let Some(key) = self.get(kept) {
            let is_deleted = store.delete_unconfirmed_key(&key.id, &key.hash).await?;
            if is_deleted || key.since.plus_seconds(WATCHED_SECONDS) < now {
                self.0.lock().retain(|watched| watched.id != key.id);
            } else {
                kept += 1;
            }
        }
        Ok(())
    }

    fn get(&self, index: usize) -> Option<UnconfirmedKey> {
        self.0.lock().get(index).cloned()
    }
}
