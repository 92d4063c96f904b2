//! Adoption: what old instances keep in plaintext is replaced by hashes, one row at a time, so that it may be cut off
//! anywhere and goes on from there. A row is only written while it holds what was hashed.

mod request;

pub use request::Request;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt, stream};
use rand::seq::SliceRandom;

use crate::admin::permissions_by_name;
use crate::cache::Found;
use crate::config::Adopt;
use crate::defect::caught;
use crate::error::Error;
use crate::events::Event;
use crate::hash::Phc;
use crate::model::CredentialDigest;
use crate::random;
use crate::service::Service;
use crate::shown::Shown;
use crate::store::{DigestRange, PlaintextKey, PlaintextToken};
use crate::token::Plaintext;

/// Rows read at a time.
const BATCH: i64 = 64;
/// Keys that were used first and wait to be adopted before their turn; the sweep comes to all others.
pub const FIRST_USES: usize = 64;

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Adopted {
    /// Rows that it adopted itself.
    pub rows: usize,
    /// Admin tokens that permit everything from here on, by their names.
    pub all_permissions: Vec<PlaintextToken>,
}

/// Adopts every row that can be, or `limit` of them, while `go_on` says so. Several processes may do it together: each
/// has an order of its own.
pub async fn sweep(
    service: &Arc<Service>,
    limit: Option<usize>,
    go_on: impl Fn() -> bool + Sync,
) -> Result<Adopted, Error> {
    let mut sweep = Sweep {
        service,
        left: limit.unwrap_or(usize::MAX),
        go_on,
        adopted: Adopted::default(),
    };
    while service.store.has_plaintext().await? {
        let before = sweep.adopted.rows;
        sweep.tokens().await?;
        sweep.keys().await?;
        // What is left now cannot be adopted, or was locked or changed meanwhile: it is tried once more only where
        // there was progress.
        if sweep.adopted.rows == before || sweep.is_over() {
            break;
        }
    }
    Ok(sweep.adopted)
}

/// Sweeps for as long as the service is in use.
pub async fn run(service: Weak<Service>) {
    const INTERVAL: Duration = Duration::from_secs(60);
    const AFTER_FAULT: Duration = Duration::from_secs(5);
    loop {
        let Some(service) = service.upgrade() else {
            return;
        };
        let swept = caught(sweep(&service, None, || !service.store.is_closed())).await;
        drop(service);
        tokio::time::sleep(if matches!(swept, Ok(Ok(_))) {
            INTERVAL
        } else {
            AFTER_FAULT
        })
        .await;
    }
}

/// Adopts a key that was just proved, beside the answer and before the sweep comes to it.
pub fn on_first_use(service: &Arc<Service>, id: &str, key: &Plaintext, digest: CredentialDigest) {
    if service.config.adopt == Adopt::Verify {
        return;
    }
    let Ok(place) = Arc::clone(&service.first_uses).try_acquire_owned() else {
        return;
    };
    let service = Arc::clone(service);
    let key = PlaintextKey {
        id: id.to_owned(),
        key: key.clone(),
        digest,
    };
    tokio::spawn(async move {
        // A fault leaves the row to the sweep.
        let _ = adopt_key(&service, key).await;
        drop(place);
    });
}

/// The same for an admin token.
pub fn on_first_use_of_token(service: &Arc<Service>, token: PlaintextToken) {
    if service.config.adopt == Adopt::Verify {
        return;
    }
    let service = Arc::clone(service);
    tokio::spawn(async move { adopt_token(&service, &token).await.map(drop) });
}

struct Sweep<'a, F> {
    service: &'a Arc<Service>,
    /// How many rows may still be adopted.
    left: usize,
    go_on: F,
    adopted: Adopted,
}

impl<F: Fn() -> bool> Sweep<'_, F> {
    fn is_over(&self) -> bool {
        self.left == 0 || !(self.go_on)()
    }

    fn count(&mut self, rows: usize) {
        self.adopted.rows += rows;
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
                let Some(permissions) = adopt_token(self.service, &token).await? else {
                    continue;
                };
                self.count(1);
                if token.permissions.is_none() && permits_all(&permissions) {
                    self.adopted.all_permissions.push(token);
                }
            }
        }
    }

    /// By the first byte of the digests, in an order of this sweep's own, so that sweeps of several processes rarely
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
            .filter(|key| std::future::ready(!Phc::is_hash(key.key.expose())))
            .take(self.left)
            .take_while(|_| std::future::ready((self.go_on)()))
            .map(|key| adopt_key(self.service, key))
            .buffer_unordered(self.service.config.hash_permits)
            .try_fold(0, |adopted, done| {
                std::future::ready(Ok(adopted + usize::from(done)))
            })
            .await
    }
}

/// Hashes a key while nobody waits for a hash, and stores that; whether its row still held it.
async fn adopt_key(service: &Service, row: PlaintextKey) -> Result<bool, Error> {
    let PlaintextKey { id, key, digest } = row;
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash_when_idle(key.clone(), salt).await?;
    let adopted = service.store.adopt_key(&id, &digest, &hash).await?;
    if adopted {
        tell_cache(service, &id, &key, &hash);
    }
    Ok(adopted)
}

/// What was proved by the plaintext is proved by its hash: else the next change of the row would cost a hash.
fn tell_cache(service: &Service, id: &str, key: &Plaintext, hash: &Phc) {
    let digest = service.cache.digest(key.expose());
    if let Found::Current(entry) | Found::Stale(entry) = service.cache.find(&digest, Instant::now())
        && *entry.row.key_id == *id
    {
        entry.value.hashed_as(hash);
    }
}

/// Stores the digest of a token and what it permits; `None`: its row has changed meanwhile.
async fn adopt_token(
    service: &Service,
    token: &PlaintextToken,
) -> Result<Option<Vec<String>>, Error> {
    let permissions = match &token.permissions {
        Some(permissions) => permissions.clone(),
        None => permissions_by_name(&token.name),
    };
    let adopted = service.store.adopt_token(token, &permissions).await?;
    if adopted && token.permissions.is_none() && permits_all(&permissions) {
        // When it happens, whoever did it and whatever comes after it.
        service.tell(&Event::AdminAdopted {
            token_id: Shown::new(&token.id),
            name: Shown::new(&token.name),
            permissions: Shown::list(&permissions),
        });
    }
    Ok(adopted.then_some(permissions))
}

fn permits_all(permissions: &[String]) -> bool {
    permissions.iter().any(|permission| permission == "*")
}
