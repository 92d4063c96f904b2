//! The backfill hashes legacy rows one by one, so that it may be interrupted anywhere and continues from there.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use rand::seq::SliceRandom;

use super::row::{hash_key, hash_token};
use crate::error::Error;
use crate::hash::is_stored_hash;
use crate::random;
use crate::service::Service;
use crate::store::{DigestRange, PlaintextKey, PlaintextToken};

/// Rows read at a time.
const BATCH: i64 = 64;

/// The result of a backfill.
#[derive(Debug, Default)]
pub struct Backfilled {
    /// The number of rows that this backfill hashed.
    pub rows: usize,
    /// Admin tokens that were given all permissions because of their names.
    pub all_permissions: Vec<PlaintextToken>,
}

/// Hashes every row that can be hashed, or at most `limit`, while `go_on` returns true. Several processes may run it at
/// once: each goes through the rows in an order of its own.
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
    while backfill.has_work().await? {
        let before = backfill.done.rows;
        backfill.tokens().await?;
        backfill.keys().await?;
        // The rows left now were locked. They are tried again only after a pass that made progress.
        if backfill.done.rows == before || backfill.is_over() {
            break;
        }
    }
    Ok(backfill.done)
}

struct Backfill<'a, F> {
    service: &'a Arc<Service>,
    /// The number of rows that may still be hashed.
    left: usize,
    go_on: F,
    done: Backfilled,
}

impl<F: Fn() -> bool> Backfill<'_, F> {
    fn is_over(&self) -> bool {
        self.left == 0 || !(self.go_on)()
    }

    /// Whether a row can be hashed. Only once there is none, it is worth it to look for those beside which a lookup was left.
    async fn has_work(&self) -> Result<bool, Error> {
        let store = &self.service.store;
        Ok(store.has_importable().await? || store.clear_lookups_beside_plaintext().await?)
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
                let Some(hashed) = hash_token(self.service, token).await? else {
                    continue;
                };
                self.count(1);
                if hashed.got_all_permissions {
                    self.done.all_permissions.push(hashed.token);
                }
            }
        }
    }

    /// Goes through the keys by the first byte of their digests, in a random order, so that several processes rarely
    /// hash the same keys.
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
            let hashed = self.batch(batch).await?;
            self.count(hashed);
        }
        Ok(())
    }

    /// Hashes a batch, as many keys concurrently as there are hash permits. Returns the number of rows hashed.
    async fn batch(&self, batch: Vec<PlaintextKey>) -> Result<usize, Error> {
        stream::iter(batch)
            // A stored hash is not hashed again: its row was hashed before, and another writer has cleared its lookup.
            .filter(|key| std::future::ready(!is_stored_hash(key.key.expose())))
            .take(self.left)
            .take_while(|_| std::future::ready((self.go_on)()))
            .map(|key| hash_key(self.service, key))
            .buffer_unordered(self.service.config.hash_permits)
            .try_fold(0, |hashed, done| {
                std::future::ready(Ok(hashed + usize::from(done)))
            })
            .await
    }
}
