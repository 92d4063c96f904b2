//! The state of the process: its options and the running service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use arc_swap::{ArcSwapOption, Guard};
use once_cell::sync::Lazy;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use parking_lot::{Mutex, MutexGuard};

use crate::background::Background;
use crate::config::{self, Config, Options};
use crate::courier::{Couriers, Ended};
use crate::error::Error;
use crate::events::Events;
use crate::metrics::Metrics;
use crate::model::{Catalogue, Kinds, ProxyTrust};
use crate::service::Service;
use crate::store::Circuit;

static STATE: Lazy<Mutex<ProcessState>> = Lazy::new(Mutex::default);
/// The started service, for the warm path, which takes no lock.
static STARTED: Lazy<ArcSwapOption<Running>> = Lazy::new(ArcSwapOption::default);
/// The listeners of the process. They outlive each service.
static EVENTS: Lazy<Arc<Events>> = Lazy::new(Arc::default);
/// The threads that send to webhooks.
static COURIERS: Lazy<Arc<Couriers>> = Lazy::new(Arc::default);
/// The counters of the process. They outlive each service.
static METRICS: Lazy<Arc<Metrics>> = Lazy::new(Arc::default);

#[derive(Default)]
pub(super) struct ProcessState {
    pub(super) options: Options,
    /// Whether `configure()` was called since the last close.
    pub(super) configured: bool,
    pub(super) running: Arc<Running>,
    /// Loaded on first use, since client addresses are determined before the service is started.
    pub(super) trust: Option<Arc<ProxyTrust>>,
    #[expect(clippy::option_option)] // The outer one: not loaded yet.
    /// The same for what guards ask for, which is checked when they are made. The inner `None`: any scope.
    pub(super) catalogue: Option<Option<Arc<Catalogue>>>,
}

/// The service and its calls, from one close to the next.
#[derive(Default)]
pub(super) struct Running {
    pub(super) service: tokio::sync::OnceCell<Arc<Service>>,
    calls: TaskTracker,
    /// Calls of the warm path that run now.
    warm_calls: AtomicUsize,
    /// Whether a close has begun. Read by each warm verify, which takes no lock.
    closing: AtomicBool,
    /// The same, for those that wait for it.
    close_begun: CancellationToken,
    /// When the last start failed, and why.
    pub(super) failure: Mutex<Option<(Instant, Error)>>,
    /// Open while the database does not answer, even if the service could not be started yet.
    pub(super) circuit: Arc<Circuit>,
    /// Starts the service when the database is available again.
    pub(super) recovery: Background,
    /// Whether the recovery is running. Calls fail at once until it has ended.
    pub(super) is_recovering: AtomicBool,
}

/// A running call. The service stays open for as long as this is held.
pub struct Call {
    pub(super) running: Arc<Running>,
    pub(super) options: Options,
    _open: TaskTrackerToken,
}

/// A running call of the warm path, which never starts the service.
pub struct WarmCall {
    running: Guard<Option<Arc<Running>>>,
}

pub fn events() -> &'static Arc<Events> {
    &EVENTS
}

pub fn couriers() -> &'static Arc<Couriers> {
    &COURIERS
}

/// Takes note of how a request for a webhook ended, by the id that it was sent with.
pub fn request_ended(id: &str, problem: Option<String>) {
    if let Ok(flight) = id.parse() {
        COURIERS.end(Ended { flight, problem });
    }
}

pub fn metrics() -> &'static Arc<Metrics> {
    &METRICS
}

/// Reads a variable of the environment.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(super) fn state() -> MutexGuard<'static, ProcessState> {
    STATE.lock()
}

/// Opens the warm path, or closes it with `None`.
pub(super) fn set_started(running: Option<Arc<Running>>) {
    STARTED.store(running);
}

/// The proxies that are trusted with the client's address, by the options and the environment. Does not start the
/// service.
pub fn proxy_trust() -> Result<Arc<ProxyTrust>, Error> {
    let mut state = state();
    if let Some(trust) = &state.trust {
        return Ok(Arc::clone(trust));
    }
    let trust = Arc::new(config::load_trust(&state.options, &environment)?);
    state.trust = Some(Arc::clone(&trust));
    Ok(trust)
}

/// The kinds of keys, by the options and the environment. Does not start the service.
pub fn kinds() -> Result<Kinds, Error> {
    config::load_kinds(&state().options, &environment)
}

/// The catalogue of scopes, by the options and the environment. Does not start the service.
pub fn catalogue() -> Result<Option<Arc<Catalogue>>, Error> {
    let mut state = state();
    if let Some(catalogue) = &state.catalogue {
        return Ok(catalogue.clone());
    }
    let catalogue = config::load_catalogue(&state.options, &environment)?;
    state.catalogue = Some(catalogue.clone());
    Ok(catalogue)
}

/// Whether it is known now which options are in force.
#[must_use]
pub fn is_configured() -> bool {
    let state = state();
    state.configured || state.running.service.initialized()
}

/// Begins a call. It takes the lock, so that a close either waits for the call or rejects it.
pub fn enter() -> Result<Call, Error> {
    let state = state();
    if state.running.is_closing() {
        return Err(Error::configuration(
            "The addon is closing and accepts no new calls: wait for close() to finish",
        ));
    }
    Ok(Call {
        running: Arc::clone(&state.running),
        options: state.options.clone(),
        _open: state.running.calls.token(),
    })
}

/// Begins a call of the warm path, if the service is started and accepts calls.
pub fn enter_warm() -> Option<WarmCall> {
    let call = WarmCall::begin(STARTED.load())?;
    // In this order, and in that of `begin_close`, either the close sees the call or we see the close.
    (!call.running.as_ref()?.is_closing()).then_some(call)
}

/// The service, if it is started. Does not start it.
pub fn started() -> Option<Arc<Service>> {
    state().running.service.get().cloned()
}

impl Call {
    /// Whether a `close()` has begun and waits for this call.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.running.is_closing()
    }

    /// Waits for a `close()` to begin.
    pub async fn closing(&self) {
        self.running.close_begun.cancelled().await;
    }

    /// The configuration to start the service with.
    pub fn config(&self) -> Result<Config, Error> {
        Config::load(&self.options, &environment)
    }
}

impl WarmCall {
    fn begin(running: Guard<Option<Arc<Running>>>) -> Option<Self> {
        // Sequentially consistent, as what is read and written of `closing`.
        running.as_ref()?.warm_calls.fetch_add(1, Ordering::SeqCst);
        Some(Self { running })
    }

    /// The service. It is `None` only at the very moment of the start.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        let running = self.running.as_ref()?;
        running.service.get().map(Arc::as_ref)
    }
}

impl Drop for WarmCall {
    fn drop(&mut self) {
        if let Some(running) = self.running.as_ref() {
            running.warm_calls.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Running {
    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// The error of calls during an outage in which the service could not be started.
    pub(super) fn outage(&self) -> Option<Error> {
        let failure = self.failure.lock();
        let error = failure.as_ref().map(|(_, error)| error);
        error.filter(|_| self.is_recovering()).cloned()
    }

    pub(super) fn is_recovering(&self) -> bool {
        self.is_recovering.load(Ordering::Acquire)
    }

    /// Records that a start has failed just now.
    pub(super) fn start_failed(&self, error: &Error) {
        *self.failure.lock() = Some((Instant::now(), error.clone()));
    }

    /// Rejects new calls from now on.
    pub(super) fn begin_close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.close_begun.cancel();
    }

    /// Waits for the calls that began before the close. Those of the warm path take microseconds.
    pub(super) async fn calls_ended(&self) {
        self.calls.close();
        self.calls.wait().await;
        while self.warm_calls.load(Ordering::SeqCst) > 0 {
            yield_now().await;
        }
    }
}

impl ProcessState {
    /// Resets the state to that before the first call, but keeps the options.
    pub(super) fn reset(&mut self) {
        self.running = Arc::default();
        self.configured = false;
        self.trust = None;
        self.catalogue = None;
    }
}
