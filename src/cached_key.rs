//! The cached state of an authenticated key.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::cache;
use crate::cached_clients::CachedClient;
use crate::metrics::ClientUses;
use crate::model::{DEFAULT_LIMIT, KeyPolicy, LimitId, StoredHash, Timestamp};
use crate::rate_limit::{Limiter, Limiters, Rule};
use crate::usage::{Usage, UseCounter};

/// An authenticated key. The outcome of a check is never cached: every use checks all rights again.
#[derive(Clone)]
pub struct CachedKey {
    pub policy: KeyPolicy,
    pub client: CachedClient,
    /// Fingerprint of the stored hash that the presented key matched: as long as the row holds this hash, the key need
    /// not be hashed again. Unset if the row held the plaintext.
    authenticated_by: OnceLock<HashFingerprint>,
    counter: Arc<UseCounter>,
    /// Present if the metrics count each client separately.
    client_uses: Option<ClientUses>,
    /// Looked up when the limit is first used.
    limiter: OnceLock<Arc<Limiter>>,
}

pub type KeyEntry = cache::Entry<CachedKey>;
pub type KeyCache = cache::Cache<CachedKey>;

/// The result of authenticating a presented key.
#[derive(Clone)]
pub struct Authentication {
    /// `None` if the presented string is not a valid key.
    pub entry: Option<Arc<KeyEntry>>,
    /// The position in the sequence of changes at which its row was read.
    pub read_at: cache::Sequence,
    /// Before its row was read.
    pub began: Instant,
}

impl CachedKey {
    /// Caches a key with the hash stored in its row; `None` if the row holds the plaintext of a legacy key.
    pub fn new(
        policy: KeyPolicy,
        client: CachedClient,
        hash: Option<&StoredHash>,
        client_uses: Option<ClientUses>,
    ) -> Self {
        let key = Self {
            counter: Arc::new(UseCounter::new(Arc::clone(&policy.key_id))),
            policy,
            client,
            client_uses,
            authenticated_by: OnceLock::new(),
            limiter: OnceLock::new(),
        };
        if let Some(hash) = hash {
            key.set_hash(hash);
        }
        key
    }

    /// The same key of its client as it is now.
    #[must_use]
    pub fn with_client(&self, client: CachedClient) -> Self {
        Self {
            client,
            ..self.clone()
        }
    }

    /// The memory of its texts and lists, in bytes.
    pub fn bytes(&self) -> usize {
        self.policy.bytes() + self.client.bytes()
    }

    /// Records the hash that the row holds for this key, or that has replaced its plaintext.
    pub fn set_hash(&self, hash: &StoredHash) {
        let _ = self.authenticated_by.set(HashFingerprint::of(hash));
    }

    pub fn was_authenticated_by(&self, hash: &StoredHash) -> bool {
        self.authenticated_by.get() == Some(&HashFingerprint::of(hash))
    }

    /// Counts an accepted verify.
    pub fn count_use(&self, usage: &Usage, now: Timestamp) {
        usage.record(&self.counter, now);
        if let Some(uses) = &self.client_uses {
            uses.add_one();
        }
    }

    pub fn limit_id(&self) -> LimitId {
        LimitId::of_key(&self.policy.key_id, DEFAULT_LIMIT)
    }

    /// The limiter of the key. All cache entries of the same row share it.
    pub fn limiter(&self, limiters: &Limiters, rule: Rule) -> &Limiter {
        self.limiter
            .get_or_init(|| limiters.entry(&self.limit_id(), rule))
    }
}

/// Identifies a stored hash in a few bytes.
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
