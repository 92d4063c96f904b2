//! The backfill: rows that hold plaintext are hashed one by one, so that it may be cut off anywhere and goes on from
//! there.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use rand::seq::SliceRandom;

use super::row::{hash_key, hash_token, permits_all};
use crate::error::Error;
use crate::hash::is_stored_hash;
use crate::random;
use crate::service::Service;
use crate::store::{DigestRange, PlaintextKey, PlaintextToken};

/// Rows read at a time.
const BATCH: i64 = 64;
/// What a backfill did.
#[derive(Debug, Default)]
pub struct Backfilled {
    /// Rows that it hashed itself.
    pub rows: usize,
    /// Admin tokens that permit everything from here on, by their names.
    pub all_permissions: Vec<PlaintextToken>,
}

/// Hashes every row that can be, or `limit` of them, while `go_on` says so. Several processes may do it together: each
/// has an order of its own.
pub async fn backfill(
    service: &Arc<Service>,
    limit: Option<usize>,
    go_on: impl Fn() -> bool + Sync,
) -> Result<Backfilled, Error> {
    let mut backfill = Backfill {
        service,
        left: limit.unwrap_or(usize::MAX),
        go_on,
        done: Backfilled::default(),
    };
    while service.store.has_plaintext().await? {
        let before = backfill.done.rows;
        backfill.tokens().await?;
        backfill.keys().await?;
        // What is left now cannot be hashed, or was locked or changed meanwhile: it is tried once more only where
        // there was progress.
        if backfill.done.rows == before || backfill.is_over() {
            break;
        }
    }
    Ok(backfill.done)
}

struct Backfill<'a, F> {
    service: &'a Arc<Service>,
    /// How many rows may still be hashed.
    left: usize,
    go_on: F,
    done: Backfilled,
}

impl<F: Fn() -> bool> Backfill<'_, F> {
    fn is_over(&self) -> bool {
        self.left == 0 || !(self.go_on)()
    }

    fn count(&mut self, rows: usize) {
        self.done.rows += rows;
        self.left -= rows;
    }

    async fn tokens(&mut self) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let batch = self.service.store.plaintext_tokens(&after, BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            after.clone_from(&last.id);
            for token in batch {
                if self.is_over() {
                    return Ok(());
                }
                let Some(permissions) = hash_token(self.service, &token).await? else {
                    continue;
                };
                self.count(1);
                if token.permissions.is_none() && permits_all(&permissions) {
                    self.done.all_permissions.push(token);
                }
            }
        }
    }

    /// By the first byte of the digests, in an order of this process, so that backfills of several processes rarely
    /// meet and hash the same keys.
    async fn keys(&mut self) -> Result<(), Error> {
        let mut parts: Vec<u8> = (0..=u8::MAX).collect();
        parts.shuffle(&mut random::generator()?);
        for part in parts {
            self.part(part).await?;
        }
        Ok(())
    }

    async fn part(&mut self, first_byte: u8) -> Result<(), Error> {
        // A byte alone sorts before all digests that begin with it, and no digest has a 33rd byte.
        let mut until = vec![first_byte];
        until.extend([u8::MAX; 32]);
        let mut range = DigestRange {
            after: vec![first_byte],
            until,
        };
        while !self.is_over() {
            let batch = self.service.store.plaintext_keys(&range, BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(());
            };
            range.after = last.digest.bytes().to_vec();
            let adopted = self.batch(batch).await?;
            self.count(adopted);
        }
        Ok(())
    }

    /// As many keys at once as may be hashed at once.
    async fn batch(&self, batch: Vec<PlaintextKey>) -> Result<usize, Error> {
        stream::iter(batch)
            // What was hashed once is not hashed again: somebody has taken the lookup from its row.
            .filter(|key| std::future::ready(!is_stored_hash(key.key.expose())))
            .take(self.left)
            .take_while(|_| std::future::ready((self.go_on)()))
            .map(|key| hash_key(self.service, key))
            .buffer_unordered(self.service.config.hash_permits)
            .try_fold(0, |adopted, done| {
                std::future::ready(Ok(adopted + usize::from(done)))
            })
            .await
    }
}
