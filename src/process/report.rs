//! What operators see of a process: metrics and faults, whether or not a service runs.

use std::time::Instant;

use super::clock::now;
use super::state::{events, metrics, started, state};
use crate::error::Error;
use crate::events::InternalFault;
use crate::metrics::{Snapshot, VerifyCount};
use crate::service::internal_fault;

/// The metrics of what there is, also before the service is started. Nothing is started.
#[must_use]
pub fn metrics_text() -> String {
    let (service, totals, is_down) = {
        let state = state();
        let service = state.running.service.get().cloned();
        // Under the lock, so that a service which is closed meanwhile counts once.
        let totals = metrics().totals(service.as_ref().map(|service| service.totals()));
        (service, totals, state.running.circuit.is_open())
    };
    metrics().report(&Snapshot {
        database_up: match &service {
            Some(service) => Some(!service.store.circuit().is_open()),
            None => is_down.then_some(false),
        },
        events_dropped: events().dropped(),
        totals,
        running: service.map(|service| service.gauges(Instant::now())),
    })
}

/// Counts a verify that did not take the warm path, by its code; also one that could not begin.
pub fn count_verify(code: &str) {
    metrics().count_verify(VerifyCount::Other(code));
}

/// Reports an internal fault of a call, once each.
pub fn report_fault(error: &Error) {
    if let Some(fault) = internal_fault(error, None) {
        emit(fault);
    }
}

/// Reports the place of a panic, once each.
pub fn emit_panic(place: String) {
    emit(InternalFault {
        place,
        ..InternalFault::default()
    });
}

fn emit(fault: InternalFault) {
    let log = started().is_none_or(|service| service.config.log);
    events().emit_fault(fault, now(), log);
}
