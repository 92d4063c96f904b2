//! The keys that sign derived tokens, as this process knows them. They are read when they are needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::sleep_until;

use crate::error::Error;
use crate::jwt::{TokenPublicKey, TokenSigner};
use crate::seal::Seals;
use crate::store::{Store, StoredTokenKey};

/// Between two reads for tokens of unknown keys: anyone can make up the name of a key.
const PAUSE: Duration = Duration::from_secs(1);
/// For how long the name of a key is known to be none, and how many of them.
const MISSING_FOR: Duration = Duration::from_secs(30);
const MISSING_MAX: usize = 1_000;
/// How long a process believes that a key is still there before it takes another token for good.
const BELIEVED_FOR: Duration = Duration::from_secs(60);
/// How old a list may be that anyone may ask for.
const LISTED_FOR: Duration = Duration::from_millis(500);

/// The key that signs, from what is stored of its private part. It must have been sealed.
#[must_use]
pub fn open_signer(seals: &Seals, kid: &str, private: &str) -> Option<TokenSigner> {
    TokenSigner::new(kid, &seals.open_sealed_text(private, kid)?)
}

#[derive(Default)]
pub struct TokenKeys {
    known: Mutex<Known>,
    /// Reads take turns.
    reading: tokio::sync::Mutex<()>,
    revoked: tokio::sync::Mutex<Option<(Instant, Value)>>,
}

#[derive(Default)]
struct Known {
    keys: Vec<(Box<str>, TokenPublicKey)>,
    /// The key that signs, as it is stored: its name, and the private part.
    stored_signer: Option<(String, String)>,
    signer: Option<Arc<TokenSigner>>,
    /// When the last read began that was answered.
    read_at: Option<Instant>,
    missing: HashMap<Box<str>, Instant>,
}

impl Known {
    fn key(&self, kid: &str) -> Option<TokenPublicKey> {
        let found = self.keys.iter().find(|(known, _)| **known == *kid);
        found.map(|(_, key)| *key)
    }

    fn is_read_since(&self, since: Option<Instant>) -> bool {
        self.read_at.is_some_and(|at| Some(at) >= since)
    }
}

impl TokenKeys {
    /// The key of this name; `None` if there is none.
    pub async fn find(&self, store: &Store, kid: &str) -> Result<Option<TokenPublicKey>, Error> {
        let asked = Instant::now();
        {
            let known = self.known.lock();
            let missing = known.missing.get(kid);
            let is_missing = missing.is_some_and(|at| asked.duration_since(*at) < MISSING_FOR);
            let key = known.key(kid);
            if key.is_some() || is_missing {
                return Ok(key);
            }
        }
        self.read(store, Some(asked), PAUSE).await?;
        let mut known = self.known.lock();
        let key = known.key(kid);
        if key.is_none() {
            if known.missing.len() >= MISSING_MAX {
                known.missing.clear();
            }
            known.missing.insert(kid.into(), asked);
        }
        Ok(key)
    }

    /// Whether a key that has signed a token is still there. While the database is away, it is.
    pub async fn is_still_known(&self, store: &Store, kid: &str) -> bool {
        let _ = self
            .read(store, Instant::now().checked_sub(BELIEVED_FOR), PAUSE)
            .await;
        self.known.lock().key(kid).is_some()
    }

    /// The public keys by their names: that of the signer, and those whose tokens live.
    pub async fn list(&self, store: &Store) -> Result<Vec<(Box<str>, TokenPublicKey)>, Error> {
        let since = Instant::now().checked_sub(LISTED_FOR);
        self.read(store, since, Duration::ZERO).await?;
        Ok(self.known.lock().keys.clone())
    }

    /// The keys with living tokens that may not be used any more.
    pub async fn revoked_parents(&self, store: &Store) -> Result<Value, Error> {
        let mut revoked = self.revoked.lock().await;
        if let Some((read_at, listed)) = &*revoked
            && read_at.elapsed() < LISTED_FOR
        {
            return Ok(listed.clone());
        }
        let began = Instant::now();
        let listed = store.revoked_parents().await?;
        *revoked = Some((began, listed.clone()));
        Ok(listed)
    }

    /// The key that signs, if this process has it open.
    pub fn signer(&self) -> Option<Arc<TokenSigner>> {
        self.known.lock().signer.clone()
    }

    /// The key that signs, as it is stored now.
    pub async fn stored_signer(&self, store: &Store) -> Result<Option<(String, String)>, Error> {
        self.read(store, Some(Instant::now()), Duration::ZERO)
            .await?;
        Ok(self.known.lock().stored_signer.clone())
    }

    pub fn set_signer(&self, signer: Option<Arc<TokenSigner>>) {
        self.known.lock().signer = signer;
    }

    /// Takes over what was read from `began` on.
    pub fn take(&self, began: Instant, stored: Vec<StoredTokenKey>) {
        let mut known = self.known.lock();
        known.keys.clear();
        known.stored_signer = None;
        for StoredTokenKey {
            kid,
            public,
            private,
        } in stored
        {
            known.missing.remove(kid.as_str());
            if let Some(key) = TokenPublicKey::new(&public) {
                known.keys.push((kid.as_str().into(), key));
            }
            if let Some(private) = private {
                known.stored_signer = Some((kid, private));
            }
        }
        known.read_at = Some(began);
    }

    /// Reads the keys, unless that was done since.
    async fn read(
        &self,
        store: &Store,
        since: Option<Instant>,
        pause: Duration,
    ) -> Result<(), Error> {
        while let Some(due) = self.due(since, pause) {
            // Before the turn, which others need who have not to wait.
            sleep_until(due.into()).await;
            let _turn = self.reading.lock().await;
            if self
                .due(since, pause)
                .is_some_and(|due| due <= Instant::now())
            {
                let began = Instant::now();
                let stored = store.token_keys().await?;
                self.take(began, stored);
                break;
            }
        }
        Ok(())
    }

    /// When the keys may be read next; `None` if that was done since.
    fn due(&self, since: Option<Instant>, pause: Duration) -> Option<Instant> {
        let known = self.known.lock();
        if known.is_read_since(since) {
            return None;
        }
        Some(known.read_at.map_or_else(Instant::now, |at| at + pause))
    }
}
