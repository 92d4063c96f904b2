//! Hands events to listeners, or writes them to stderr.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

use super::event::{Event, InternalFault, Severity, Urgency};
use crate::model::Timestamp;

#[derive(Serialize)]
struct Envelope<'a> {
    severity: Severity,
    /// Milliseconds since 1970.
    at: i64,
    #[serde(flatten)]
    event: &'a Event,
}

/// Takes an event as JSON, at once: a listener that is busy must not hold up who tells.
pub type Listener = Box<dyn Fn(&str, Urgency) -> Delivery + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Taken,
    /// The listener's queue is full.
    Dropped,
    /// The listener is gone for good.
    Gone,
}

/// Who listens, across all that is started and closed in the process.
#[derive(Default)]
pub struct Events {
    listeners: Mutex<Vec<(u64, Listener)>>,
    /// Internal faults that were emitted.
    faults: Mutex<HashSet<InternalFault>>,
    added: AtomicU64,
    dropped: AtomicU64,
}

impl Events {
    /// Answers the listener's number, by which it can be removed.
    pub fn add(&self, listener: Listener) -> u64 {
        let number = self.added.fetch_add(1, Ordering::Relaxed);
        self.listeners.lock().push((number, listener));
        number
    }

    pub fn remove(&self, number: u64) {
        self.listeners.lock().retain(|(added, _)| *added != number);
    }

    /// Counts an event that a listener did not get because it is busy with others.
    pub fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// Events that a busy listener did not get.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Emits an internal fault, once each.
    pub fn emit_fault(&self, fault: InternalFault, now: Timestamp, log: bool) {
        /// There are fewer places than that in the source.
        const FAULTS_MAX: usize = 1_000;
        let mut faults = self.faults.lock();
        let is_new = faults.len() < FAULTS_MAX && faults.insert(fault.clone());
        drop(faults);
        if is_new {
            self.emit(&Event::InternalError(fault), now, log);
        }
    }

    /// Tells all who listen. Where nobody does, what is no mere information goes to stderr, if `log` says so.
    pub fn emit(&self, event: &Event, now: Timestamp, log: bool) {
        let envelope = Envelope {
            severity: event.severity(),
            at: now.millis(),
            event,
        };
        let Ok(json) = serde_json::to_string(&envelope) else {
            return;
        };
        let mut listeners = self.listeners.lock();
        listeners.retain(|(_, listener)| match listener(&json, event.urgency()) {
            Delivery::Taken => true,
            Delivery::Dropped => {
                self.count_dropped();
                true
            }
            Delivery::Gone => false,
        });
        let heard = !listeners.is_empty();
        drop(listeners);
        if !heard && log && envelope.severity >= Severity::Warning {
            // Nobody is left to tell where stderr is closed.
            let _ = writeln!(std::io::stderr(), "{}", line(&json));
        }
    }
}

/// JSON with nothing in it that a terminal or a reader of logs might act upon: printable ASCII.
fn line(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, ' '..='~') {
            line.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(line, "\\u{unit:04x}");
            }
        }
    }
    line
}

#[cfg(test)]
mod tests;
