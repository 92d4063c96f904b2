//! The one service of a process: configured, started at first use, closed, perhaps started anew.
//! Shared by all worker threads.

use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use once_cell::sync::{Lazy, OnceCell};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::MutexGuard;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::client_address::Trust;
use crate::config::{self, Config, Options};
use crate::error::Error;
use crate::events::{Event, Events};
use crate::lock::locked;
use crate::metrics::{Gauges, Metrics, State as Told, Totals};
use crate::model::Timestamp;
use crate::service::Service;
use crate::store;

static STATE: Lazy<Mutex<State>> = Lazy::new(Mutex::default);
/// What is started, for the warm path, which takes no lock.
static STARTED: Lazy<ArcSwapOption<Running>> = Lazy::new(ArcSwapOption::default);
/// One close at a time.
static CLOSING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Who listens stays, whatever is started and closed.
static EVENTS: Lazy<Arc<Events>> = Lazy::new(Arc::default);
/// The counters of the process.
static METRICS: Lazy<Arc<Metrics>> = Lazy::new(Arc::default);

/// From one attempt to start to the next while the database is away.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Default)]
struct State {
    options: Options,
    /// `configure()` was called since the last close.
    configured: bool,
    running: Arc<Running>,
    /// Read at the first need, since a client's address is asked for before the service is started.
    trust: Option<Arc<Trust>>,
}

/// From one close to the next.
#[derive(Default)]
struct Running {
    service: tokio::sync::OnceCell<Arc<Service>>,
    calls: TaskTracker,
    closing: AtomicBool,
    /// When the last start failed, and why.
    failure: Mutex<Option<(Instant, Error)>>,
    /// Held by the one call that tries to start again after the database was away.
    probe: tokio::sync::Mutex<()>,
    /// Since when starts fail because the database is away.
    down_since: Mutex<Option<Instant>>,
}

/// A running call: the service stays open for as long as it is held.
pub struct Call {
    running: Arc<Running>,
    options: Options,
    _open: TaskTrackerToken,
}

/// A running call of the warm path, which asks for nothing that would have to be started.
pub struct WarmCall {
    running: Arc<Running>,
    _open: TaskTrackerToken,
}

/// A close that has begun: new calls are refused.
pub struct Close(Arc<Running>);

/// The runtime of all that is asynchronous; it lives as long as the process.
pub fn runtime() -> Result<&'static Runtime, Error> {
    static RUNTIME: OnceCell<Runtime> = OnceCell::new();
    RUNTIME.get_or_try_init(|| {
        Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("api-keys")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::Internal(format!("Worker threads could not be started: {error}"))
            })
    })
}

pub fn events() -> &'static Arc<Events> {
    &EVENTS
}

pub fn metrics() -> &'static Metrics {
    &METRICS
}

/// What Prometheus is told: what there is, also before the service is started. Nothing is started.
pub fn report() -> String {
    let (running, totals, is_down) = {
        let state = locked(&STATE);
        let service = state.running.service.get().cloned();
        // Under the lock, so that a service which is closed meanwhile counts once.
        let totals = METRICS.totals(service.as_deref().map(Totals::of));
        let is_down = locked(&state.running.down_since).is_some();
        (service, totals, is_down)
    };
    let running = running.as_deref();
    METRICS.report(&Told {
        database_up: match running {
            Some(service) => Some(!service.store.circuit().is_open()),
            None => is_down.then_some(false),
        },
        events_dropped: EVENTS.dropped(),
        totals,
        running: running.map(|service| Gauges::of(service, Instant::now())),
    })
}

/// Tells operators, whatever is started.
pub fn tell(event: &Event) {
    let log = started().is_none_or(|service| service.config.log);
    EVENTS.tell(event, Timestamp::now(), log);
}

/// Sets the options; an equal call again does nothing.
pub fn configure(options: Options) -> Result<(), Error> {
    let mut state = locked(&STATE);
    let in_force = state.configured || state.running.service.initialized();
    if in_force && options == state.options {
        return Ok(());
    }
    if in_force || state.running.is_closing() {
        return Err(Error::Configuration(
            "The addon is already configured with different options: call close() before configure()"
                .into(),
        ));
    }
    state.options = options;
    state.configured = true;
    state.trust = None;
    Ok(())
}

/// Whose word on a client's address is taken, by the options and the environment. Nothing is started.
pub fn trust() -> Result<Arc<Trust>, Error> {
    let mut state = locked(&STATE);
    if let Some(trust) = &state.trust {
        return Ok(Arc::clone(trust));
    }
    let trust = Arc::new(config::load_trust(&state.options, &variable)?);
    state.trust = Some(Arc::clone(&trust));
    Ok(trust)
}

/// Begins a call. Under the lock, so that a close either waits for it or refuses it.
pub fn enter() -> Result<Call, Error> {
    let state = locked(&STATE);
    if state.running.is_closing() {
        return Err(Error::Configuration(
            "The addon is closing and accepts no new calls: wait for close() to finish".into(),
        ));
    }
    Ok(Call {
        running: Arc::clone(&state.running),
        options: state.options.clone(),
        _open: state.running.calls.token(),
    })
}

/// Begins a call of the warm path, if the service is started and takes calls.
pub fn enter_warm() -> Option<WarmCall> {
    let running = STARTED.load_full()?;
    let open = running.calls.token();
    // Either the close sees the token, or we see the close.
    fence(Ordering::SeqCst);
    (!running.is_closing()).then_some(WarmCall {
        running,
        _open: open,
    })
}

/// The service if it was started; nothing is started.
pub fn started() -> Option<Arc<Service>> {
    locked(&STATE).running.service.get().cloned()
}

/// Refuses new calls from here on.
pub fn begin_close() -> Close {
    let state = locked(&STATE);
    state.running.closing.store(true, Ordering::SeqCst);
    fence(Ordering::SeqCst);
    Close(Arc::clone(&state.running))
}

impl Close {
    /// Lets running calls finish, stores what was counted, closes the connections. The next call starts anew.
    pub async fn finish(self) -> Result<(), Error> {
        let _one_at_a_time = CLOSING.lock().await;
        if !Arc::ptr_eq(&self.0, &locked(&STATE).running) {
            return Ok(());
        }
        self.0.calls.close();
        self.0.calls.wait().await;
        STARTED.store(None);
        let result = match self.0.service.get() {
            Some(service) => service.stop().await,
            None => Ok(()),
        };
        let mut state = locked(&STATE);
        if let Some(service) = self.0.service.get() {
            METRICS.retire(Totals::of(service));
        }
        state.running = Arc::default();
        state.configured = false;
        state.trust = None;
        result
    }
}

impl Call {
    /// The service, started from the options and the environment by the first call.
    pub async fn service(&self) -> Result<&Arc<Service>, Error> {
        let arrived = Instant::now();
        if let Some(service) = self.running.service.get() {
            return Ok(service);
        }
        let _probe = self.may_start(arrived)?;
        let start = || self.start(arrived);
        self.running.service.get_or_try_init(start).await
    }

    /// While the database is away one call at a time tries to start, and the others are told so at once.
    fn may_start(&self, now: Instant) -> Result<Option<MutexGuard<'_, ()>>, Error> {
        match &*locked(&self.running.failure) {
            Some((at, error @ Error::DatabaseUnavailable { .. })) => {
                let is_due = now.duration_since(*at) >= PAUSE;
                let probe = self.running.probe.try_lock().ok();
                probe
                    .filter(|_| is_due)
                    .map(Some)
                    .ok_or_else(|| error.clone())
            }
            _ => Ok(None),
        }
    }

    /// Calls that waited for a start which failed share its fault, instead of failing one after the other.
    async fn start(&self, arrived: Instant) -> Result<Arc<Service>, Error> {
        if let Some((at, error)) = &*locked(&self.running.failure)
            && *at > arrived
        {
            return Err(error.clone());
        }
        match self.try_start().await {
            Ok(service) => {
                if let Some(since) = locked(&self.running.down_since).take() {
                    service.tell(&Event::recovered(since.elapsed()));
                }
                STARTED.store(Some(Arc::clone(&self.running)));
                Ok(service)
            }
            Err(error) => {
                self.alert(&error);
                *locked(&self.running.failure) = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// One alert an outage, also where the addon could not even start.
    fn alert(&self, error: &Error) {
        if !matches!(error, Error::DatabaseUnavailable { .. }) {
            return;
        }
        let mut down_since = locked(&self.running.down_since);
        if down_since.is_none() {
            *down_since = Some(Instant::now());
            let event = Event::DatabaseUnavailable {
                message: error.to_string(),
            };
            let log = config(&self.options).is_ok_and(|config| config.log);
            EVENTS.tell(&event, Timestamp::now(), log);
        }
    }

    async fn try_start(&self) -> Result<Arc<Service>, Error> {
        // In a box: every call holds this future, and only the first one needs it.
        let (events, metrics) = (Arc::clone(&EVENTS), Arc::clone(&METRICS));
        Box::pin(Service::start(config(&self.options)?, events, metrics)).await
    }

    /// Whether `close()` waits for this call.
    pub fn is_closing(&self) -> bool {
        self.running.is_closing()
    }

    /// What the service would be started with.
    pub fn config(&self) -> Result<Config, Error> {
        config(&self.options)
    }

    /// Migrates without starting the service, which may need the very schema.
    pub async fn migrate(&self) -> Result<store::Migrated, Error> {
        store::migrate(&config(&self.options)?).await
    }
}

impl WarmCall {
    /// `None` only in the moment of the start.
    pub fn service(&self) -> Option<&Service> {
        self.running.service.get().map(Arc::as_ref)
    }
}

impl Running {
    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }
}

fn config(options: &Options) -> Result<Config, Error> {
    Config::load(options, &variable)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
