//! The parts that work together, started and stopped as one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use governor::clock::MonotonicClock;
use tokio::sync::{Notify, Semaphore};
use zeroize::Zeroizing;

use crate::audit::Audit;
use crate::config::{Adopt, Config, Migrate};
use crate::error::Error;
use crate::events::{Event, Events};
use crate::flush;
use crate::hash::Hasher;
use crate::keys::Orphans;
use crate::limit::Limits;
use crate::metrics::Metrics;
use crate::model::Timestamp;
use crate::outage;
use crate::random;
use crate::store::{Store, migrate};
use crate::sync::{self, Follower};
use crate::throttle::Throttle;
use crate::token::{Format, Keyring, SigningKey, Tokens};
use crate::usage::Usage;
use crate::verify::{Cache, ColdDigests, Flights, Suspensions, Unreadable};
use crate::{admin, adoption, shown};

pub struct Service {
    pub config: Config,
    pub store: Store,
    pub tokens: Tokens,
    pub hasher: Hasher,
    pub cold_digests: Option<ColdDigests>,
    pub cache: Cache,
    pub admin_tokens: admin::Cache,
    pub flights: Flights,
    pub limits: Limits,
    pub throttle: Throttle,
    pub usage: Usage,
    pub unreadable: Unreadable,
    pub orphans: Orphans,
    pub suspensions: Suspensions,
    pub events: Arc<Events>,
    pub audit: Audit,
    pub metrics: Arc<Metrics>,
    /// Keys that may be adopted before the sweep comes to them.
    pub first_uses: Arc<Semaphore>,
    /// Something is to be stored that should not wait for the next flush.
    pub urgent: Notify,
}

impl Service {
    /// Migrates unless told not to, and checks that the signing keys at hand cover the keys in use.
    pub async fn start(
        mut config: Config,
        events: Arc<Events>,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, Error> {
        if config.migrate == Migrate::Auto {
            migrate(&config).await?;
        }
        let store = Store::open(&config);
        let keyring = keyring(&store, config.signing_keys.take()).await?;
        let follower = Follower::begin(&store).await?;
        let cold_digests = if config.cold_digest {
            Some(ColdDigests::new(
                &keyring,
                &store.kept_signing_keys().await?,
            )?)
        } else {
            None
        };
        let service = Arc::new(Self {
            cold_digests,
            ..Self::assemble(config, store, keyring, events, metrics)?
        });
        service.warn_of_weak_settings();
        tokio::spawn(flush::run(
            Arc::downgrade(&service),
            service.config.flush_interval,
        ));
        service.spawn_sync(follower);
        if service.config.adopt == Adopt::Hash {
            tokio::spawn(adoption::run(Arc::downgrade(&service)));
        }
        Ok(service)
    }

    /// The parts, at rest.
    pub fn assemble(
        config: Config,
        store: Store,
        keyring: Keyring,
        events: Arc<Events>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Error> {
        let format = Format::new(config.prefixes.clone(), config.environment)
            .ok_or_else(|| Error::Configuration("The configured prefixes are invalid".into()))?;
        let mut rng = random::generator()?;
        let (digest_key, token_key) = (random::bytes(&mut rng), random::bytes(&mut rng));
        Ok(Self {
            cold_digests: None,
            tokens: Tokens::new(format, keyring),
            hasher: Hasher::new(config.hash_params, config.hash_permits),
            cache: Cache::new(
                config.cache_capacity,
                config.staleness,
                digest_key,
                Instant::now(),
            ),
            admin_tokens: admin::Cache::new(
                admin::CACHE_CAPACITY,
                config.staleness,
                token_key,
                Instant::now(),
            ),
            flights: Flights::default(),
            limits: Limits::new(MonotonicClock),
            throttle: Throttle::new(config.throttle, Instant::now()),
            usage: Usage::new(random::id(&mut rng)),
            unreadable: Unreadable::default(),
            orphans: Orphans::default(),
            suspensions: Suspensions::default(),
            events,
            audit: Audit::default(),
            metrics,
            first_uses: Arc::new(Semaphore::new(adoption::FIRST_USES)),
            urgent: Notify::new(),
            store,
            config,
        })
    }

    /// Stores what was counted, in at most five seconds, and closes the connections.
    pub async fn stop(&self) -> Result<(), Error> {
        const PATIENCE: Duration = Duration::from_secs(5);
        let flushed = tokio::time::timeout(PATIENCE, flush::flush(self)).await;
        let (uses, entries) = (self.usage.pending(), self.audit.give_up());
        // A server that does not answer must not hold up the close.
        let _ = tokio::time::timeout(PATIENCE, self.store.close()).await;
        match flushed {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::unavailable(format!(
                "The last counts could not be stored in the database: {uses} uses of keys and {entries} attempts and \
                 changes for the audit log are lost"
            ))),
        }
    }

    /// Tells operators what has happened.
    pub fn tell(&self, event: &Event) {
        self.tell_at(event, Timestamp::now());
    }

    pub fn tell_at(&self, event: &Event, at: Timestamp) {
        self.events.tell(event, at, self.config.log);
    }

    /// Whether a flush would have nothing to do.
    pub fn has_nothing_to_store(&self) -> bool {
        self.usage.is_empty() && self.suspensions.is_empty() && self.audit.is_empty()
    }

    fn warn_of_weak_settings(&self) {
        let params = self.config.hash_params;
        if params.is_below_owasp() {
            self.tell(&Event::ConfigurationWarning {
                message: format!(
                    "argon2id with {} KiB and {} iterations is weaker than the OWASP Password Storage Cheat Sheet \
                     recommends: raise argon2MemoryKib or argon2Iterations",
                    params.memory_kib(),
                    params.iterations()
                ),
            });
        }
    }

    /// A row has changed, whichever table it is in.
    pub fn changed(&self, id: &str) {
        self.cache.changed(id);
        self.admin_tokens.changed(id);
    }

    /// Any row may have changed.
    pub fn all_changed(&self) {
        self.cache.all_changed();
        self.admin_tokens.all_changed();
    }

    /// The changes are known up to this instant.
    pub fn changes_read_until(&self, at: Instant) {
        self.cache.read_until(at);
        self.admin_tokens.read_until(at);
    }

    fn spawn_sync(self: &Arc<Self>, follower: Follower) {
        let changed = Arc::new(Notify::new());
        if let Some(ear) = self.store.ear() {
            tokio::spawn(sync::listen(
                ear,
                Arc::downgrade(self),
                Arc::clone(&changed),
            ));
        }
        tokio::spawn(outage::watch(
            Arc::downgrade(self),
            Arc::clone(self.store.circuit()),
            Arc::clone(&changed),
        ));
        tokio::spawn(sync::run(Arc::downgrade(self), follower, changed));
    }
}

/// The signing keys of the environment, or else the one kept in the database. A key that is missing while rows
/// depend on it would refuse all of them, so it is a fault.
async fn keyring(store: &Store, configured: Option<Keyring>) -> Result<Keyring, Error> {
    let keyring = match configured {
        Some(keyring) => {
            store
                .remember_signing_key(keyring.signer().fingerprint())
                .await?;
            keyring
        }
        None => kept_keyring(store).await?,
    };
    let held: Vec<String> = keyring
        .iter()
        .map(|key| key.fingerprint().to_owned())
        .collect();
    let missing = store.missing_signing_keys(&held, Timestamp::now()).await?;
    if missing.is_empty() {
        return Ok(keyring);
    }
    Err(Error::Configuration(format!(
        "Active API keys were signed by signing keys that are not configured (fingerprints {}): add these signing \
         keys to API_KEYS_SIGNING_KEYS, after the first one",
        shown::joined(&missing)
    )))
}

async fn kept_keyring(store: &Store) -> Result<Keyring, Error> {
    const BYTES: usize = 32;
    let unusable = || Error::Internal("The signing key stored in the database is invalid".into());
    let made = Zeroizing::new(random::bytes::<BYTES>(&mut random::generator()?));
    let candidate = SigningKey::new(*made).ok_or_else(unusable)?;
    let kept = store
        .kept_signing_key(&*made, candidate.fingerprint())
        .await?;
    SigningKey::new(&*kept)
        .and_then(|key| Keyring::new(vec![key]))
        .ok_or_else(unusable)
}
