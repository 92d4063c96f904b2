//! The parts of the service, as one passive context.

mod changes;
mod figures;
mod scopes;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use governor::clock::MonotonicClock;
use tokio::sync::{Notify, Semaphore};

use crate::audit::{AuditState, QueuedEntry};
use crate::background::Background;
use crate::cache::CacheKey;
use crate::cached_clients::CachedClients;
use crate::cached_key::{Authentication, KeyCache};
use crate::cached_roles::CachedRoles;
use crate::cached_token::{TOKEN_CACHE_CAPACITY, TokenCache};
use crate::charges::Charges;
use crate::cold_digests::ColdDigests;
use crate::config::Config;
use crate::courier::Couriers;
use crate::deliverer::Deliverer;
use crate::error::{Error, Origin};
use crate::events::{Event, Events, InternalFault};
use crate::hash::Hasher;
use crate::issued_plaintexts::IssuedPlaintexts;
use crate::legacy_keys::LegacyKeys;
use crate::metrics::{BackgroundTask, Metrics};
use crate::model::{Escaped, Moment, Timestamp};
use crate::panic;
use crate::preloaded_keys::PreloadedKeys;
use crate::quota_leases::Leases;
use crate::random;
use crate::rate_limit::{Limiters, Throttle};
use crate::reused_keys::ReusedKeys;
use crate::seal::Seals;
use crate::self_check::SelfCheck;
use crate::single_flight::SingleFlight;
use crate::store::Store;
use crate::suspensions::Suspensions;
use crate::token::{Keyring, Peppers, Tokens};
use crate::token_keys::TokenKeys;
use crate::unconfirmed_keys::UnconfirmedKeys;
use crate::unreadable_keys::UnreadableKeys;
use crate::unwritable_keys::{Unstored, UnwritableKeys};
use crate::usage::{Tempo, Usage};
use crate::usage_folding::UsageFolding;

/// Legacy keys that may wait to be hashed after their first use; the backfill hashes all others.
const FIRST_USES: usize = 64;

/// Returns the current time. Only `process` reads the system clock.
pub type Clock = fn() -> Timestamp;

pub struct Service {
    pub clock: Clock,
    pub config: Config,
    pub store: Store,
    pub tokens: Tokens,
    pub hasher: Hasher,
    pub cold_digests: ColdDigests,
    pub cache: KeyCache,
    pub clients: CachedClients,
    /// The roles of cached keys.
    pub roles: CachedRoles,
    pub admin_tokens: TokenCache,
    pub flights: SingleFlight<CacheKey, Authentication>,
    pub limiters: Limiters,
    pub leases: Leases,
    pub charges: Charges,
    pub throttle: Throttle,
    pub usage: Usage,
    pub unreadable_keys: UnreadableKeys,
    pub unwritable_keys: UnwritableKeys,
    pub usage_folding: UsageFolding,
    /// Flushes that failed since the last one that did not.
    pub failed_flushes: AtomicU32,
    pub unconfirmed_keys: UnconfirmedKeys,
    pub issued_plaintexts: IssuedPlaintexts,
    pub suspensions: Suspensions,
    pub reused_keys: ReusedKeys,
    pub self_check: SelfCheck,
    pub legacy_keys: LegacyKeys,
    pub preloaded_keys: PreloadedKeys,
    pub seals: Seals,
    pub token_keys: TokenKeys,
    pub deliverer: Deliverer,
    pub couriers: Arc<Couriers>,
    pub events: Arc<Events>,
    pub audit: AuditState,
    pub metrics: Arc<Metrics>,
    /// Permits to hash legacy keys on first use, before the backfill reaches them.
    pub first_uses: Arc<Semaphore>,
    /// Signals that something must be stored before the next flush.
    pub urgent: Notify,
    /// Signals that the change log should be read now.
    pub changed: Notify,
    /// Signals that rows have changed, as the change log says.
    pub rows_changed: Notify,
    /// The background tasks, which end with the service.
    pub background: Background,
}

/// The secrets of a service.
pub struct Secrets {
    pub keyring: Keyring,
    pub peppers: Option<Peppers>,
    pub seals: Seals,
}

/// What all services of a process share.
pub struct Shared {
    pub events: Arc<Events>,
    pub metrics: Arc<Metrics>,
    pub couriers: Arc<Couriers>,
}

impl Service {
    /// Builds the service without starting any task.
    pub fn assemble(
        config: Config,
        store: Store,
        secrets: Secrets,
        shared: Shared,
        clock: Clock,
    ) -> Result<Self, Error> {
        let format = config
            .key_format()
            .ok_or_else(|| Error::configuration("The configured prefixes are invalid"))?;
        let mut rng = random::generator()?;
        let (key_secret, token_secret) = (random::bytes(&mut rng), random::bytes(&mut rng));
        let now = Instant::now();
        let moment = Moment {
            instant: now,
            time: clock(),
        };
        let background = Background::default();
        Ok(Self {
            clock,
            cold_digests: ColdDigests::new(secrets.peppers),
            tokens: Tokens::new(format, secrets.keyring),
            hasher: Hasher::new(config.hash_params, config.hash_permits),
            cache: KeyCache::new(config.cache_capacity, config.staleness, key_secret, moment),
            clients: CachedClients::new(background.clone(), now),
            roles: CachedRoles::new(now),
            admin_tokens: TokenCache::new(
                TOKEN_CACHE_CAPACITY,
                config.staleness,
                token_secret,
                moment,
            ),
            flights: SingleFlight::new(background.clone()),
            limiters: Limiters::new(MonotonicClock),
            leases: Leases::default(),
            charges: Charges::new(random::bytes(&mut rng), now),
            throttle: Throttle::new(config.throttle, now),
            usage: Usage::new(
                random::id(&mut rng),
                Tempo::new(config.flush_interval, config.usage_interval_max),
            ),
            unreadable_keys: UnreadableKeys::default(),
            unwritable_keys: UnwritableKeys::default(),
            usage_folding: UsageFolding::default(),
            failed_flushes: AtomicU32::new(0),
            unconfirmed_keys: UnconfirmedKeys::default(),
            issued_plaintexts: IssuedPlaintexts::default(),
            suspensions: Suspensions::default(),
            reused_keys: ReusedKeys::default(),
            self_check: SelfCheck::default(),
            legacy_keys: LegacyKeys::default(),
            preloaded_keys: PreloadedKeys::default(),
            seals: secrets.seals,
            token_keys: TokenKeys::default(),
            deliverer: Deliverer::default(),
            couriers: shared.couriers,
            events: shared.events,
            audit: AuditState::default(),
            metrics: shared.metrics,
            first_uses: Arc::new(Semaphore::new(FIRST_USES)),
            urgent: Notify::new(),
            changed: Notify::new(),
            rows_changed: Notify::new(),
            background,
            store,
            config,
        })
    }

    /// The current time by the service's clock.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Emits an event to operators.
    pub fn emit(&self, event: &Event) {
        self.emit_at(event, self.now());
    }

    /// Emits an event with the given time.
    pub fn emit_at(&self, event: &Event, at: Timestamp) {
        self.events.emit(event, at, self.config.log);
    }

    /// Emits an event and queues it for the audit log.
    pub fn record(&self, event: Event, at: Timestamp) {
        self.record_many(event, 1, at);
    }

    /// Emits an event that stands for `count` equal ones, and queues it for the audit log.
    pub fn record_many(&self, event: Event, count: u64, at: Timestamp) {
        self.emit_at(&event, at);
        match random::generator() {
            Ok(mut rng) => self.audit.push(QueuedEntry {
                id: random::id(&mut rng),
                at,
                count,
                event,
            }),
            Err(_) => self.audit.count_dropped(count),
        }
    }

    /// Runs one round of background work. A failure does not end the task: it is counted, and an internal fault is
    /// reported.
    #[track_caller]
    pub fn run_round<'a, T: 'a>(
        &'a self,
        task: BackgroundTask,
        work: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> impl Future<Output = Option<T>> + 'a {
        let work = panic::catch(work);
        async move {
            let result = work.await.and_then(|result| result);
            result
                .inspect_err(|error| {
                    self.metrics.background_failures.count(task.name());
                    self.report(error, Some(task));
                })
                .ok()
        }
    }

    /// Spawns background work that ends with the service.
    pub fn spawn(
        self: &Arc<Self>,
        task: BackgroundTask,
        work: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) {
        let service = Arc::clone(self);
        self.background.spawn(async move {
            service.run_round(task, work).await;
        });
    }

    /// Reports an internal fault to operators; equal faults are reported once.
    pub fn report(&self, error: &Error, task: Option<BackgroundTask>) {
        if let Some(fault) = internal_fault(error, task) {
            self.events.emit_fault(fault, self.now(), self.config.log);
        }
    }

    /// Sets a key aside whose row cannot be written, and tells operators once.
    pub fn set_aside(&self, what: Unstored, key_id: &str, error: &Error) {
        let sqlstate = error.origin().and_then(Origin::sqlstate);
        if self.unwritable_keys.set_aside(what, key_id, Instant::now()) {
            self.emit(&Event::KeyUnwritable {
                key_id: Escaped::new(key_id),
                sqlstate: sqlstate.map(str::to_owned),
            });
        }
    }

    /// Counts a flush for the health.
    pub fn note_flush(&self, has_failed: bool) {
        if has_failed {
            self.failed_flushes.fetch_add(1, Ordering::Relaxed);
        } else {
            self.failed_flushes.store(0, Ordering::Relaxed);
        }
    }

    /// Whether a flush would store nothing.
    pub fn has_nothing_to_store(&self) -> bool {
        self.usage.is_empty()
            && !self.limiters.has_unshared()
            && self.suspensions.is_empty()
            && self.reused_keys.is_empty()
            && self.audit.is_empty()
            && self.leases.is_empty(self.moment())
    }

    /// Reports a row whose stored hash is of no use, once per row.
    pub fn report_unreadable(&self, key_id: &Arc<str>, name: &str, client_id: &str) {
        if self.unreadable_keys.mark_reported(key_id) {
            self.emit(&Event::KeyUnreadable {
                key_id: Escaped::new(key_id),
                name: Escaped::new(name),
                client_id: Escaped::new(client_id),
            });
        }
    }
}

/// The origin of an internal fault. Returns `None` for other errors, and for a panic, which the hook has already
/// reported.
#[must_use]
pub fn internal_fault(error: &Error, task: Option<BackgroundTask>) -> Option<InternalFault> {
    let Error::Internal { origin, .. } = error else {
        return None;
    };
    let origin = origin.as_ref()?;
    Some(InternalFault {
        place: panic::relative(&origin.place()).to_owned(),
        statement: origin.statement_name(),
        sqlstate: origin.sqlstate().map(str::to_owned),
        task: task.map(BackgroundTask::name),
    })
}
