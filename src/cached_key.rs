//! The state that is kept of an authenticated key.

use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::cache;
use crate::metrics::ClientUses;
use crate::model::{KeyPolicy, StoredHash, Timestamp};
use crate::rate_limit::{Limiter, Limiters, Rule};
use crate::usage::{Usage, UseCounter};

/// An authenticated key. Nothing about its rights is kept as allowed: all is checked at each use.
pub struct CachedKey {
    pub policy: KeyPolicy,
    /// The stored hash that the presented key was compared with: while it stands in the row, nothing is hashed. Empty:
    /// the row held the key itself.
    authenticated_by: OnceLock<HashFingerprint>,
    counter: Arc<UseCounter>,
    /// Where clients are counted one by one in the metrics.
    client_uses: Option<ClientUses>,
    /// Looked up at the first use of the limit.
    limiter: OnceLock<Arc<Limiter>>,
}

pub type KeyEntry = cache::Entry<CachedKey>;
pub type KeyCache = cache::Cache<CachedKey>;

/// What authenticating a presented key showed.
#[derive(Clone)]
pub struct Authentication {
    /// `None`: it is no valid key.
    pub entry: Option<Arc<KeyEntry>>,
    /// Where in the sequence of changes its row was read.
    pub read_at: cache::Sequence,
}

impl CachedKey {
    /// `hash` is what the row keeps; `None`: it keeps the plaintext of a legacy key.
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

    /// The plaintext in the row has become this hash of the same key.
    pub fn is_hashed_as(&self, hash: &StoredHash) {
        let _ = self.authenticated_by.set(HashFingerprint::of(hash));
    }

    pub fn was_authenticated_by(&self, hash: &StoredHash) -> bool {
        self.authenticated_by.get() == Some(&HashFingerprint::of(hash))
    }

    /// Counts an accepted verify, and what it cost of the rate limit.
    pub fn count_use(&self, usage: &Usage, cost: Option<NonZeroU32>, now: Timestamp) {
        usage.record(&self.counter, cost, now);
        if let Some(uses) = &self.client_uses {
            uses.add_one();
        }
    }

    /// The limiter of the key, which other entries of its row share.
    pub fn limiter(&self, limiters: &Limiters, rule: Rule) -> &Limiter {
        self.limiter
            .get_or_init(|| limiters.entry(&self.policy.key_id, rule))
    }
}

/// Tells a stored hash from every other one in a few bytes.
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
