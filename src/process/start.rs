//! Starts the service, also if the database is unavailable at first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::clock::now;
use super::keyring::keyring;
use super::state::{Call, Running, environment, events, metrics, set_started};
use crate::config::{Config, Migrate, Options};
use crate::error::Error;
use crate::events::Event;
use crate::panic;
use crate::service::Service;
use crate::store::{Circuit, Store, migrate};
use crate::tasks::{self, Follower};
use crate::token::ColdDigests;

/// The pause between attempts to start while the database is unavailable.
const PAUSE: Duration = Duration::from_millis(250);

impl Call {
    /// The service. The first call starts it from the options and the environment.
    pub async fn service(&self) -> Result<&Arc<Service>, Error> {
        if let Some(service) = self.running.service.get() {
            return Ok(service);
        }
        let arrived = Instant::now();
        let start = || first_start(&self.running, &self.options, arrived);
        self.running.service.get_or_try_init(start).await
    }
}

/// Starts the service for a call that found none. Calls that waited for a start that failed share its error instead of
/// failing one after the other. While the circuit is open, only the recovery tries.
async fn first_start(
    running: &Arc<Running>,
    options: &Options,
    arrived: Instant,
) -> Result<Arc<Service>, Error> {
    if let Some((at, error)) = &*running.failure.lock()
        && (*at > arrived || running.circuit.is_open())
    {
        return Err(error.clone());
    }
    let result = try_start(running, options).await;
    if let Err(error) = &result {
        *running.failure.lock() = Some((Instant::now(), error.clone()));
        if let Error::DatabaseUnavailable { .. } = error {
            begin_recovery(running, options, error);
        }
    }
    result
}

/// Opens the circuit, alerts operators once per outage, and starts the service when the database is available again.
fn begin_recovery(running: &Arc<Running>, options: &Options, error: &Error) {
    running.circuit.open();
    let Ok(config) = Config::load(options, &environment) else {
        return;
    };
    if running.is_recovering.swap(true, Ordering::AcqRel) {
        return;
    }
    let since = Instant::now();
    let log = config.log;
    let event = Event::DatabaseUnavailable {
        message: error.to_string(),
    };
    events().emit(&event, now(), log);
    let (recovering, options) = (Arc::clone(running), options.clone());
    running.recovery.spawn(async move {
        let store = Store::open(&config, Arc::clone(&recovering.circuit));
        let recovered = recover(&recovering, &store, &options).await;
        recovering.is_recovering.store(false, Ordering::Release);
        if recovered {
            events().emit(&Event::recovered(since.elapsed()), now(), log);
        }
    });
}

/// Probes until the database answers, then starts the service. Returns false if the start fails with another error,
/// which the next call will get itself.
async fn recover(running: &Arc<Running>, store: &Store, options: &Options) -> bool {
    loop {
        sleep(PAUSE).await;
        if !matches!(panic::catch(store.probe()).await, Ok(Ok(()))) {
            continue;
        }
        running.circuit.close();
        let start = || try_start(running, options);
        match running.service.get_or_try_init(start).await {
            Ok(_) => return true,
            Err(error @ Error::DatabaseUnavailable { .. }) => {
                *running.failure.lock() = Some((Instant::now(), error));
                running.circuit.open();
            }
            Err(_) => return false,
        }
    }
}

async fn try_start(running: &Arc<Running>, options: &Options) -> Result<Arc<Service>, Error> {
    let config = Config::load(options, &environment)?;
    // Boxed, since every call contains this future and only the first one needs it.
    let service = Box::pin(start(config, Arc::clone(&running.circuit))).await?;
    set_started(Some(Arc::clone(running)));
    Ok(service)
}

/// Migrates unless that is switched off, checks that the signing keys cover the API keys in use, and spawns the tasks.
async fn start(mut config: Config, circuit: Arc<Circuit>) -> Result<Arc<Service>, Error> {
    if config.migrate == Migrate::Auto {
        migrate(&config).await?;
    }
    let store = Store::open(&config, circuit);
    let keyring = keyring(&store, config.signing_keys.take()).await?;
    let follower = Follower::begin(&store).await?;
    let cold_digests = if config.cold_digest {
        let kept = store.kept_signing_keys().await?;
        Some(ColdDigests::new(&keyring, &kept)?)
    } else {
        None
    };
    let service = Arc::new(Service::assemble(
        config,
        store,
        keyring,
        cold_digests,
        Arc::clone(events()),
        Arc::clone(metrics()),
        now,
    )?);
    warn_of_weak_settings(&service);
    tasks::spawn_all(&service, follower);
    Ok(service)
}

fn warn_of_weak_settings(service: &Service) {
    let params = service.config.hash_params;
    if params.is_below_owasp() {
        service.emit(&Event::ConfigurationWarning {
                message: format!(
                    "argon2id with {} KiB and {} iterations is weaker than the OWASP Password Storage Cheat Sheet \
                         recommends: raise argon2MemoryKib or argon2Iterations",
                    params.memory_kib(),
                    params.iterations()
                ),
            });
    }
}
