//! The one service of a process: configured, started at first use, closed, perhaps started anew.
//! Shared by all worker threads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use once_cell::sync::{Lazy, OnceCell};
use tokio::runtime::{Builder, Runtime};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::config::{Config, Options};
use crate::error::Error;
use crate::service::Service;
use crate::store;

static STATE: Lazy<Mutex<State>> = Lazy::new(Mutex::default);
/// One close at a time.
static CLOSING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

#[derive(Default)]
struct State {
    options: Options,
    /// `configure()` was called since the last close.
    configured: bool,
    running: Arc<Running>,
    closing: bool,
}

#[derive(Default)]
struct Running {
    service: tokio::sync::OnceCell<Arc<Service>>,
    calls: TaskTracker,
    /// When the last start failed, and why.
    failure: Mutex<Option<(Instant, Error)>>,
}

impl Running {
    /// Calls that waited for a start which failed share its fault, instead of failing one after the other.
    async fn start(&self, options: &Options, arrived: Instant) -> Result<Arc<Service>, Error> {
        if let Some((at, error)) = &*locked(&self.failure)
            && *at > arrived
        {
            return Err(error.clone());
        }
        let started = async { Service::start(config(options)?).await }.await;
        *locked(&self.failure) = started
            .as_ref()
            .err()
            .map(|error| (Instant::now(), error.clone()));
        started
    }
}

/// A running call: the service stays open for as long as it is held.
pub struct Call {
    pub service: Arc<Service>,
    _open: TaskTrackerToken,
}

/// The runtime of all that is asynchronous; it lives as long as the process.
pub fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("api-keys")
            .enable_all()
            .build()
            .map_err(|error| Error::Internal(format!("No threads could be started: {error}")))
    })
}

/// Sets the options; an equal call again does nothing.
pub fn configure(options: Options) -> Result<(), Error> {
    let mut state = state();
    if options == state.options && (state.configured || state.running.service.initialized()) {
        return Ok(());
    }
    if state.closing || state.configured || state.running.service.initialized() {
        return Err(Error::Configuration(
            "The addon is configured already, with other options: call close() before configure()"
                .into(),
        ));
    }
    state.options = options;
    state.configured = true;
    Ok(())
}

/// The service, started from the options and the environment by the first call.
pub async fn call() -> Result<Call, Error> {
    let (running, options, open) = enter()?;
    let arrived = Instant::now();
    let start = || running.start(&options, arrived);
    let service = running.service.get_or_try_init(start).await?;
    Ok(Call {
        service: Arc::clone(service),
        _open: open,
    })
}

/// The service if it was started; nothing is started.
pub fn running() -> Option<Arc<Service>> {
    state().running.service.get().cloned()
}

/// Migrates without starting the service, which may need the very schema.
pub async fn migrate() -> Result<store::Migrated, Error> {
    let (_, options, _open) = enter()?;
    store::migrate(&config(&options)?).await
}

/// Begins a call. Under the lock, so that a close either waits for it or refuses it.
fn enter() -> Result<(Arc<Running>, Options, TaskTrackerToken), Error> {
    let state = state();
    if state.closing {
        return Err(Error::Configuration(
            "The addon is closing: no new calls are taken".into(),
        ));
    }
    Ok((
        Arc::clone(&state.running),
        state.options.clone(),
        state.running.calls.token(),
    ))
}

/// Lets running calls finish, stores what was counted, closes the connections. The next call starts anew.
pub async fn close() -> Result<(), Error> {
    let _one_at_a_time = CLOSING.lock().await;
    let running = {
        let mut state = state();
        state.closing = true;
        Arc::clone(&state.running)
    };
    running.calls.close();
    running.calls.wait().await;
    let result = match running.service.get() {
        Some(service) => service.stop().await,
        None => Ok(()),
    };
    let mut state = state();
    state.running = Arc::default();
    state.configured = false;
    state.closing = false;
    result
}

fn config(options: &Options) -> Result<Config, Error> {
    Config::load(options, &|variable| std::env::var(variable).ok())
}

fn state() -> MutexGuard<'static, State> {
    locked(&STATE)
}

/// A panic elsewhere leaves a state that is still right.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
