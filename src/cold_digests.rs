//! The cold digests of this process: under which peppers it makes them, how far they spare hashes, and which of other
//! processes it has replaced.

mod recent_rows;
mod replaced;

use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::Config;
use crate::model::{Plaintext, StoredHash};
use crate::token::{DigestCheck, Keyring, Peppers, SigningKey};

use recent_rows::RecentRows;
use replaced::Replaced;

/// Rows that may wait at once to be renewed after their digest has decided. Others are renewed at a later first verify, so
/// that a storm of first verifies waits for no renewal.
const RENEWALS: usize = 64;

pub struct ColdDigests {
    /// `None`: no digest is read or made.
    peppers: Option<Peppers>,
    recent: Mutex<RecentRows>,
    replaced: Replaced,
    renewals: Arc<Semaphore>,
}

impl ColdDigests {
    #[must_use]
    pub fn new(peppers: Option<Peppers>) -> Self {
        Self {
            peppers,
            recent: Mutex::default(),
            replaced: Replaced::default(),
            renewals: Arc::new(Semaphore::new(RENEWALS)),
        }
    }

    /// The digest to store beside this hash of the key.
    pub fn digest(&self, key: &Plaintext, hash: &StoredHash) -> Option<Vec<u8>> {
        Some(self.peppers.as_ref()?.digest(key, hash))
    }

    /// What the digest of a row that was read says about a presented key.
    pub fn check(&self, key: &Plaintext, hash: &StoredHash, stored: Option<&[u8]>) -> DigestCheck {
        let check = match (&self.peppers, stored) {
            (Some(peppers), Some(stored)) => peppers.check(key, hash, stored),
            _ => DigestCheck::Undecided,
        };
        self.recent.lock().note(check != DigestCheck::Undecided);
        check
    }

    /// Whether any digest is made or read.
    pub fn are_on(&self) -> bool {
        self.peppers.is_some()
    }

    /// The beginnings of the digests that this process can read.
    pub fn pepper_ids(&self) -> Vec<Vec<u8>> {
        self.peppers.as_ref().map_or_else(Vec::new, Peppers::ids)
    }

    /// Whether the digest of a row can tell its key from others.
    pub fn can_decide(&self, hash: &StoredHash, stored: Option<&[u8]>) -> bool {
        let peppers = self.peppers.as_ref();
        peppers
            .zip(stored)
            .is_some_and(|(peppers, stored)| peppers.can_decide(hash, stored))
    }

    /// Whether the next row will need a hash, as far as the rows read last tell.
    pub fn is_hash_likely(&self) -> bool {
        let needs_hash = self.recent.lock().needs_hash();
        needs_hash.unwrap_or(self.peppers.is_none())
    }

    /// Whether this process makes digests and may replace this one of the presented key; `None` if not. A digest of another
    /// process is replaced once, so that processes with different peppers do not undo each other's work for ever.
    pub fn replacement<K: Hash>(
        &self,
        presented: K,
        stored: Option<&[u8]>,
    ) -> Option<Replacement<K>> {
        let peppers = self.peppers.as_ref()?;
        let is_foreign = stored.is_some_and(|stored| peppers.is_foreign(stored));
        if is_foreign && !self.replaced.begin(&presented) {
            return None;
        }
        Some(Replacement(is_foreign.then_some(presented)))
    }

    /// The digest was not replaced after all.
    pub fn not_replaced<K: Hash>(&self, replacement: &Replacement<K>) {
        if let Some(presented) = &replacement.0 {
            self.replaced.forget(presented);
        }
    }

    /// The permission to renew a row in the background, unless too many are waiting.
    pub fn renewal(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.renewals).try_acquire_owned().ok()
    }
}

/// The replacement of a digest, with the key if the digest is that of another process.
pub struct Replacement<K>(Option<K>);

/// What an operator should know about the peppers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PepperWarning {
    pub message: String,
    pub remedy: &'static str,
}

/// The peppers of a configuration, and the warnings about them.
#[derive(Default)]
pub struct ChosenPeppers {
    pub peppers: Option<Peppers>,
    pub warnings: Vec<PepperWarning>,
}

/// The signing keys of the environment: those that the database holds or held (`exposed`), and the others.
pub fn signing_keys<'a>(
    config: &'a Config,
    exposed: &[String],
) -> (Vec<&'a SigningKey>, Vec<&'a SigningKey>) {
    let keys = config.signing_keys.iter().flat_map(Keyring::iter);
    keys.partition(|key| exposed.iter().any(|it| it == key.fingerprint()))
}

/// The signing keys of the environment, without those that the database holds or held (`exposed`): a digest must not lie
/// beside its pepper. If there are none, the secret of the admin tokens.
pub fn choose_peppers(config: &Config, exposed: &[String]) -> ChosenPeppers {
    if !config.cold_digest {
        return ChosenPeppers::default();
    }
    let (held, own) = signing_keys(config, exposed);
    let peppers = Peppers::of_signing_keys(own).or_else(|| {
        let secret = config.jwt_secret.as_ref().ok()?;
        Peppers::of_secret(secret.expose().as_bytes())
    });
    let mut warnings = Vec::new();
    if !held.is_empty() {
        warnings.push(exposed_keys(&held));
    }
    if peppers.is_none() {
        warnings.push(no_pepper());
    }
    ChosenPeppers { peppers, warnings }
}

fn exposed_keys(held: &[&SigningKey]) -> PepperWarning {
    let fingerprints: Vec<&str> = held.iter().map(|key| key.fingerprint()).collect();
    PepperWarning {
        message: format!(
            "No cold digest is made under signing keys that the database holds or held: {}",
            fingerprints.join(", ")
        ),
        remedy: "Have a new signing key first in API_KEYS_SIGNING_KEYS, and drop the old ones when no key in use was \
             signed with them",
    }
}

fn no_pepper() -> PepperWarning {
    PepperWarning {
        message: "No cold digest is made without a secret of the environment, so that each process hashes each key with \
             argon2id at its first verify"
            .into(),
        remedy: "Set JWT_SECRET (at least 32 bytes), or move the signing key to API_KEYS_SIGNING_KEYS",
    }
}
