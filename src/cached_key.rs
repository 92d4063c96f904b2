//! The cached state of an authenticated key.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::cache;
use crate::metrics::ClientUses;
use crate::model::{KeyPolicy, StoredHash, Timestamp};
use crate::rate_limit::{Limiter, Limiters, Rule};
use crate::usage::{Usage, UseCounter};

/// An authenticated key. Its permissions are never cached as granted: they are checked at each use.
pub struct CachedKey {
    pub policy: KeyPolicy,
    /// The fingerprint of the stored hash that the presented key was compared with: while the row has this hash,
    /// nothing is hashed again. Empty if the row held the plaintext.
    authenticated_by: OnceLock<HashFingerprint>,
    counter: Arc<UseCounter>,
    /// The counter of the key's client, if metrics count by client.
    client_uses: Option<ClientUses>,
    /// Looked up at the first use of the limit.
    limiter: OnceLock<Arc<Limiter>>,
}

pub type KeyEntry = cache::Entry<CachedKey>;
pub type KeyCache = cache::Cache<CachedKey>;

/// The result of authenticating a presented key.
#[derive(Clone)]
pub struct Authentication {
    /// `None` if the key is not valid.
    pub entry: Option<Arc<KeyEntry>>,
    /// The position in the sequence of changes at which the row was read.
    pub read_at: cache::Sequence,
}

impl CachedKey {
    /// `hash` is the stored hash; `None` if the row holds the plaintext of a legacy key.
    pub fn new(
        policy: KeyPolicy,
        hash: Option<&StoredHash>,
        client_uses: Option<ClientUses>,
    ) -> Self {
        let key = Self {
            counter: Arc::new(UseCounter::new(
                Arc::clone(&policy.key_id),
                policy.reset_generation,
            )),
            policy,
            client_uses,
            authenticated_by: OnceLock::new(),
            limiter: OnceLock::new(),
        };
        if let Some(hash) = hash {
            key.is_hashed_as(hash);
        }
        key
    }

    /// Records that the plaintext in the row was replaced by this hash of the same key.
    pub fn is_hashed_as(&self, hash: &StoredHash) {
        let _ = self.authenticated_by.set(HashFingerprint::of(hash));
    }

    pub fn was_authenticated_by(&self, hash: &StoredHash) -> bool {
        self.authenticated_by.get() == Some(&HashFingerprint::of(hash))
    }

    /// Counts an accepted verify and its cost against the rate limit.
    pub fn count_use(&self, usage: &Usage, cost: Option<NonZeroU32>, now: Timestamp) {
        usage.record(&self.counter, cost, now);
        if let Some(uses) = &self.client_uses {
            uses.add_one();
        }
    }

    /// The limiter of the key, shared with other entries of its row.
    pub fn limiter(&self, limiters: &Limiters, rule: Rule) -> &Limiter {
        self.limiter
            .get_or_init(|| limiters.entry(&self.policy.key_id, rule))
    }
}

/// Distinguishes stored hashes in a few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct HashFingerprint([u8; 16]);

impl HashFingerprint {
    fn of(hash: &StoredHash) -> Self {
        let digest: [u8; 32] = Sha256::digest(hash.as_str()).into();
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&digest[..16]);
        Self(fingerprint)
    }
}
