//! The cached state of an authenticated key.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::cache;
use crate::cached_clients::CachedClient;
use crate::cached_limits::{CachedLimit, LimitOfKey};
use crate::cached_quotas::{CachedQuota, QuotaOfKey};
use crate::cached_roles::KeyRoles;
use crate::jwt::DerivedClaims;
use crate::metrics::ClientUses;
use crate::model::{IdleRule, KeyPolicy, Level, LimitOwner, StoredHash, Timestamp};
use crate::usage::{Counted, CountedKey, Usage, UseCounter};

/// An authenticated key. The outcome of a check is never cached: every use checks all rights again.
#[derive(Clone)]
pub struct CachedKey {
    pub policy: KeyPolicy,
    pub client: CachedClient,
    pub roles: KeyRoles,
    /// Fingerprint of the stored hash that the presented key matched: as long as the row holds this hash, the key need
    /// not be hashed again. Unset if the row held the plaintext.
    authenticated_by: OnceLock<HashFingerprint>,
    counter: Arc<UseCounter>,
    /// When it is idle, if it ever is.
    pub idle: Option<IdleRule>,
    /// Present if the metrics count each client separately.
    client_uses: Option<ClientUses>,
    /// Its own limits. Most keys have one at most.
    limits: SmallVec<[CachedLimit; 1]>,
    /// Its own quotas.
    quotas: Box<[CachedQuota]>,
    /// The number of the current key of the row.
    pub key_number: i64,
    /// What a token says that was derived from the key, if it was presented in place of the key.
    pub token: Option<Arc<DerivedClaims>>,
    /// See [`shape`](Self::shape).
    shape: OnceLock<u32>,
}

pub type KeyEntry = cache::Entry<CachedKey>;
pub type KeyCache = cache::Cache<CachedKey>;

/// What a row says about a key, beside its policy.
pub struct KeyRow {
    /// The number of the current key of the row.
    pub key_number: i64,
    pub idle: Option<IdleRule>,
    /// The token that was presented in place of the key.
    pub token: Option<Arc<DerivedClaims>>,
}

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
    /// Caches a key with the hash stored in its row; `None` if the row holds the plaintext of a legacy key. `window` is that of
    /// its rate limit, unless the key has its own.
    pub fn new(
        policy: KeyPolicy,
        row: &KeyRow,
        client: CachedClient,
        roles: KeyRoles,
        hash: Option<&StoredHash>,
        client_uses: Option<ClientUses>,
        window: Duration,
    ) -> Self {
        let counted = CountedKey {
            key_number: row.key_number,
            is_previous: policy.grace_ends_at.is_some(),
            is_token: row.token.is_some(),
        };
        let key = Self {
            limits: CachedLimit::of_key(&policy, window).collect(),
            quotas: CachedQuota::all_of(&policy.quotas),
            counter: Arc::new(UseCounter::new(Arc::clone(&policy.key_id), counted)),
            idle: row.idle,
            key_number: row.key_number,
            token: row.token.clone(),
            policy,
            client,
            roles,
            client_uses,
            authenticated_by: OnceLock::new(),
            shape: OnceLock::new(),
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
            shape: OnceLock::new(),
            ..self.clone()
        }
    }

    /// The memory of its texts and lists, in bytes.
    pub fn bytes(&self) -> usize {
        let token = self.token.as_ref().map_or(0, |token| token.bytes());
        self.policy.bytes() + self.client.bytes() + self.roles.bytes() + token
    }

    /// Whether who verifies it is whom it is for. A key is for all, a token for its audience.
    pub fn is_for(&self, audience: Option<&str>) -> bool {
        let token = self.token.as_ref();
        token.is_none_or(|token| token.audience.as_deref() == audience)
    }

    /// Records the hash that the row holds for this key, or that has replaced its plaintext.
    pub fn set_hash(&self, hash: &StoredHash) {
        let _ = self.authenticated_by.set(HashFingerprint::of(hash));
    }

    pub fn was_authenticated_by(&self, hash: &StoredHash) -> bool {
        self.authenticated_by.get() == Some(&HashFingerprint::of(hash))
    }

    /// Counts a verify, or what one cost more or less than it was counted with.
    pub fn count(&self, usage: &Usage, counted: &Counted<'_>, now: Timestamp) {
        usage.record(&self.counter, &self.policy.client_id, counted, now);
        if let Some(uses) = self.client_uses.as_ref().filter(|_| counted.is_use()) {
            uses.add_one();
        }
    }

    /// All limits that it must be within: its own, and those of the clients above it.
    pub fn limits(&self) -> impl Iterator<Item = LimitOfKey<'_>> {
        let own = self.limits.iter().map(|limit| self.own_limit(limit));
        own.chain(self.client.limits())
    }

    /// All quotas that it must be within, in the same order.
    pub fn quotas(&self) -> impl Iterator<Item = QuotaOfKey<'_>> {
        let owner = LimitOwner::Key(&self.policy.key_id);
        let own = self.quotas.iter().map(move |quota| QuotaOfKey {
            level: Level::Key,
            owner,
            quota,
        });
        own.chain(self.client.quotas())
    }

    /// The level and name of a limit, or behind those of a quota, by its position.
    pub fn limit_name(&self, index: usize) -> Option<(Level, &str)> {
        let limits = self.limits().map(|limit| (limit.level, &*limit.limit.name));
        let quotas = self.quotas().map(|quota| (quota.level, &*quota.quota.name));
        limits.chain(quotas).nth(index)
    }

    /// A number that stands for which limits and quotas these are, in their order, and not for how much they permit. Usually it
    /// is another one once they are others, or were reset.
    pub fn shape(&self) -> u32 {
        *self.shape.get_or_init(|| {
            let mut hasher = Sha256::new();
            let limits = self
                .limits()
                .map(|limit| limit.owner.limit(&limit.limit.name));
            let quotas = self
                .quotas()
                .map(|quota| quota.owner.limit(&quota.quota.name));
            for (kind, id) in limits.map(|id| (0, id)).chain(quotas.map(|id| (1, id))) {
                hasher.update([kind]);
                hasher.update(id.as_str());
                hasher.update([0]);
            }
            hasher.update(self.policy.reset_generation.to_le_bytes());
            let digest: [u8; 32] = hasher.finalize().into();
            let [a, b, c, d, ..] = digest;
            u32::from_le_bytes([a, b, c, d])
        })
    }

    /// How many limits and quotas it must be within.
    pub fn bounds(&self) -> Bounds<'_> {
        if self.client.has_bounds() || !self.quotas.is_empty() {
            return Bounds::Several;
        }
        match &*self.limits {
            [] => Bounds::None,
            [limit] => Bounds::OneLimit(self.own_limit(limit)),
            _ => Bounds::Several,
        }
    }

    fn own_limit<'a>(&'a self, limit: &'a CachedLimit) -> LimitOfKey<'a> {
        LimitOfKey {
            level: Level::Key,
            owner: LimitOwner::Key(&self.policy.key_id),
            limit,
        }
    }
}

/// How many limits and quotas a key must be within.
pub enum Bounds<'a> {
    None,
    /// One limit of its own, which it shares with no other key.
    OneLimit(LimitOfKey<'a>),
    /// Several, or one that it may share with other keys.
    Several,
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
