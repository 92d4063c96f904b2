//! Reports metrics and faults of the process to operators, whether or not a service is running.

use std::sync::atomic::{AtomicBool, Ordering};

use super::clock::now;
use super::state::{environment, events, metrics, proxy_trust, state};
use crate::config::Config;
use crate::error::Error;
use crate::events::{Event, InternalFault};
use crate::metrics::{Snapshot, VerifyCount};
use crate::model::ProxyTrust;
use crate::service::internal_fault;

/// The metrics as text, also before the service is started. Does not start it.
#[must_use]
pub fn metrics_text() -> String {
    let (service, totals, is_down) = {
        let state = state();
        let service = state.running.service.get().cloned();
        // Under the lock, so that a service that is being closed is counted once.
        let totals = metrics().totals(service.as_ref().map(|service| service.totals()));
        (service, totals, state.running.is_recovering())
    };
    metrics().report(&Snapshot {
        database_up: match &service {
            Some(service) => Some(!service.store.circuit().is_open()),
            None => is_down.then_some(false),
        },
        events_dropped: events().dropped(),
        totals,
        running: service.map(|service| service.gauges()),
    })
}

/// Counts a verify that did not take the warm path, by its code; also one that could not begin.
pub fn count_verify(code: &str) {
    metrics().count_verify(VerifyCount::Other(code));
}

/// Reports an internal fault of a call; equal faults are reported once.
pub fn report_fault(error: &Error) {
    if let Some(fault) = internal_fault(error, None) {
        emit(fault);
    }
}

/// Reports a panic by its place in the source, once for each place.
pub fn emit_panic(place: String) {
    emit(InternalFault {
        place,
        ..InternalFault::default()
    });
}

/// Warns of a configuration that is accepted.
pub(super) fn warn(message: &str) {
    let event = Event::ConfigurationWarning {
        message: message.to_owned(),
    };
    events().emit(&event, now(), is_logging());
}

/// Warns of a proxy that is not declared, once.
pub fn note_proxy() {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    let is_declared = proxy_trust().is_ok_and(|trust| *trust != ProxyTrust::Nobody);
    if !is_declared && !IS_TOLD.swap(true, Ordering::Relaxed) {
        warn(
            "Requests come by a reverse proxy that is not declared, which is taken for their client: its address is compared with \
             allow-lists and counts wrong keys. Set trustedProxies or trustedHops (API_KEYS_TRUSTED_PROXIES, API_KEYS_TRUSTED_HOPS)",
        );
    }
}

/// Tells whom a migration waits for.
pub(super) fn waiting(message: String) {
    events().emit(&Event::MigrationWaiting { message }, now(), is_logging());
}

fn emit(fault: InternalFault) {
    events().emit_fault(fault, now(), is_logging());
}

/// Whether events go to stderr if there is no listener, also before the service is started.
fn is_logging() -> bool {
    let options = {
        let state = state();
        if let Some(service) = state.running.service.get() {
            return service.config.log;
        }
        state.options.clone()
    };
    Config::load(&options, &environment).is_ok_and(|config| config.log)
}
