//! Keys whose creation the database did not confirm. Their plaintext was never returned, so their rows are deleted.

use parking_lot::Mutex;

use crate::error::Error;
use crate::model::{StoredHash, Timestamp};
use crate::store::{Parts, Store};

/// How long a key is watched: a frozen server may run the insert long after the caller stopped waiting for it.
const WATCHED_SECONDS: i64 = 600;
/// The number of keys watched at most, so that the list cannot grow without bound in an outage.
const WATCHED_MAX: usize = 10_000;
/// Keys per statement.
const BATCH_MAX: usize = 1_000;

#[derive(Debug)]
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
    /// its statement is done, so a sweep may be cancelled. A row that cannot be deleted holds up no other.
    pub async fn sweep(&self, store: &Store, now: Timestamp) -> Result<(), Error> {
        let mut undeletable = None;
        for batch in self.watched().chunks(BATCH_MAX) {
            let mut parts = Parts::of(batch);
            while let Some(part) = parts.next_part() {
                match store.delete_unconfirmed_keys(part).await {
                    Ok(deleted) => {
                        parts.stored();
                        self.0.lock().retain(|key| !deleted.contains(&key.id));
                    }
                    Err(error) => parts.failed(part, error)?,
                }
            }
            for (_, error) in parts.rejected(|_| true)? {
                undeletable = Some(error);
            }
        }
        self.0
            .lock()
            .retain(|key| key.since.plus_seconds(WATCHED_SECONDS) >= now);
        undeletable.map_or(Ok(()), Err)
    }

    fn watched(&self) -> Vec<(String, StoredHash)> {
        let keys = self.0.lock();
        keys.iter()
            .map(|key| (key.id.clone(), key.hash.clone()))
            .collect()
    }
}
