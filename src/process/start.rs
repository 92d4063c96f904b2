//! Starts the service, also if the database is unavailable at first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::time::timeout;

use super::clock::now;
use super::keyring::keyring;
use super::report;
use super::state::{Call, Running, couriers, environment, events, metrics, set_started, state};
use crate::cold_digests::{PepperWarning, choose_peppers};
use crate::config::{Config, Migrate, Options};
use crate::error::Error;
use crate::events::Event;
use crate::panic;
use crate::sealing::choose_seals;
use crate::service::{Secrets, Service, Shared};
use crate::store::{Circuit, StartState, Store, migrate};
use crate::tasks::{self, Follower, until_it_answers};
use crate::token::Keyring;

impl Call {
    /// The service. The first call starts it from the options and the environment. During an outage calls fail at once,
    /// and only the recovery tries to start it.
    pub async fn service(&self) -> Result<&Arc<Service>, Error> {
        if let Some(service) = self.running.service.get() {
            service.note_thaw();
            return Ok(service);
        }
        if let Some(error) = self.running.outage() {
            return Err(error);
        }
        let arrived = Instant::now();
        let start = || first_start(&self.running, &self.options, arrived);
        self.running.service.get_or_try_init(start).await
    }
}

/// Starts the service for a call that found none. Calls that waited for a start that failed share its error instead of
/// failing one after the other.
async fn first_start(
    running: &Arc<Running>,
    options: &Options,
    arrived: Instant,
) -> Result<Arc<Service>, Error> {
    if let Some((at, error)) = &*running.failure.lock()
        && *at > arrived
    {
        return Err(error.clone());
    }
    let result = try_start(running, options).await;
    if let Err(error) = &result {
        running.start_failed(error);
        if let Error::DatabaseUnavailable { .. } = error {
            begin_recovery(running, options, error);
        }
    }
    result
}

/// Opens the circuit, alerts operators once per outage, and starts the service when the database is available again.
fn begin_recovery(running: &Arc<Running>, options: &Options, error: &Error) {
    let Ok(config) = Config::load(options, &environment) else {
        return;
    };
    if running.is_recovering.swap(true, Ordering::AcqRel) {
        return;
    }
    running.circuit.open(error);
    let since = Instant::now();
    let log = config.log;
    let event = Event::DatabaseUnavailable {
        message: error.to_string(),
    };
    events().emit(&event, now(), log);
    let (running, options) = (Arc::clone(running), options.clone());
    running.clone().recovery.spawn(async move {
        let store = Store::open(&config, Arc::clone(&running.circuit));
        recover(&running, &store, &options).await;
        running.is_recovering.store(false, Ordering::Release);
        events().emit(&Event::recovered(since.elapsed()), now(), log);
    });
}

/// Waits until the database answers, then starts the service. Ends also if the start fails for another reason than the
/// outage: the next call tries again and gets the error.
async fn recover(running: &Arc<Running>, store: &Store, options: &Options) {
    loop {
        until_it_answers(store).await;
        running.circuit.close();
        let start = running
            .service
            .get_or_try_init(|| try_start(running, options));
        let Ok(Err(error @ Error::DatabaseUnavailable { .. })) = panic::catch(start).await else {
            return;
        };
        running.circuit.open(&error);
        running.start_failed(&error);
    }
}

async fn try_start(running: &Arc<Running>, options: &Options) -> Result<Arc<Service>, Error> {
    let config = Config::load(options, &environment)?;
    // Boxed, since every call contains this future and only the first one needs it.
    let service = Box::pin(start(config, Arc::clone(&running.circuit))).await?;
    // `configure()` may have replaced it in the meantime.
    let state = state();
    if Arc::ptr_eq(&state.running, running) {
        set_started(Some(Arc::clone(running)));
    }
    Ok(service)
}

/// Migrates where that is necessary and not switched off, checks that the signing keys cover the API keys in use, and
/// spawns the tasks.
async fn start(config: Config, circuit: Arc<Circuit>) -> Result<Arc<Service>, Error> {
    let store = Store::open(&config, circuit);
    store.connect_beside();
    let read_at = Instant::now();
    let first = async {
        let state = look_and_prepare(&config, &store).await?;
        let known = state.signing_keys;
        let peppers = choose_peppers(&config, &known.exposed);
        let seals = choose_seals(&config, &known.exposed);
        let keyring = keyring(&store, config.signing_keys.clone(), known).await?;
        let follower = Follower::begin(&store, state.log, read_at, now()).await?;
        Ok::<_, Error>((keyring, peppers, seals, follower))
    };
    let (keyring, peppers, seals, follower) = match first.await {
        Ok(read) => read,
        Err(error) => return Err(store.with_missing_privileges(error).await),
    };
    let service = Arc::new(Service::assemble(
        config,
        store,
        Secrets {
            keyring,
            peppers: peppers.peppers,
            seals,
        },
        Shared {
            events: Arc::clone(events()),
            metrics: Arc::clone(metrics()),
            couriers: Arc::clone(couriers()),
        },
        now,
    )?);
    warn_of_weak_settings(&service, &peppers.warnings);
    tasks::spawn_all(&service, follower);
    Ok(service)
}

/// What the database says. The lane for the first lookup is made ready beside it, and is waited for half as long again at
/// most.
async fn look_and_prepare(config: &Config, store: &Store) -> Result<StartState, Error> {
    let began = Instant::now();
    let (looked, prepared) = (look(config, store), store.prepare_lane());
    tokio::pin!(looked, prepared);
    let state = tokio::select! {
        biased;
        () = &mut prepared => return looked.await,
        state = &mut looked => state?,
    };
    let _ = timeout(began.elapsed() / 2, prepared).await;
    Ok(state)
}

/// What the database says, after a migration if one is necessary.
async fn look(config: &Config, store: &Store) -> Result<StartState, Error> {
    let held = config.signing_keys.as_ref().map(Keyring::fingerprints);
    let held = held.unwrap_or_default();
    let state = store.start_state(&held, now()).await;
    let is_due = match &state {
        Ok(state) => !state.is_up_to_date,
        // Nothing is there yet, or something is missing or not allowed: the migration makes it, or says what is wrong.
        Err(error) => error.is_rejection(),
    };
    if !is_due || config.migrate == Migrate::Manual {
        return state;
    }
    migrate(config, report::waiting).await?;
    store.start_state(&held, now()).await
}

fn warn_of_weak_settings(service: &Service, peppers: &[PepperWarning]) {
    for PepperWarning { message, remedy } in peppers {
        service.emit(&Event::ConfigurationWarning {
            message: format!("{message}: {remedy}"),
        });
    }
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
