//! Keys whose creation ended without an answer: nobody knows their plaintext, so nobody may hold them.

use std::sync::Mutex;

use crate::error::Error;
use crate::hash::Phc;
use crate::lock::locked;
use crate::model::Timestamp;
use crate::store::Store;

/// A frozen server may run the insert long after we stopped waiting for it.
const WATCHED_SECONDS: i64 = 600;
/// More than this many creations in one outage are not watched: the list must not grow without bound.
const WATCHED_MAX: usize = 10_000;

#[derive(Debug)]
struct Orphan {
    id: String,
    hash: Phc,
    since: Timestamp,
}

#[derive(Debug, Default)]
pub struct Orphans(Mutex<Vec<Orphan>>);

impl Orphans {
    pub fn add(&self, id: String, hash: Phc, now: Timestamp) {
        let mut orphans = locked(&self.0);
        if orphans.len() < WATCHED_MAX {
            orphans.push(Orphan {
                id,
                hash,
                since: now,
            });
        }
    }

    /// Deletes what has turned up, and forgets what was watched long enough.
    pub async fn sweep(&self, store: &Store, now: Timestamp) -> Result<(), Error> {
        let watched = std::mem::take(&mut *locked(&self.0));
        let mut result = Ok(());
        let mut left = Vec::new();
        for orphan in watched {
            if result.is_ok() {
                match store.delete_orphan(&orphan.id, &orphan.hash).await {
                    Ok(true) => continue,
                    Ok(false) if orphan.since.plus_seconds(WATCHED_SECONDS) < now => continue,
                    Ok(false) => {}
                    Err(error) => result = Err(error),
                }
            }
            left.push(orphan);
        }
        locked(&self.0).extend(left);
        result
    }
}
