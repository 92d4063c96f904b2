//! Emits events to listeners, or writes them to stderr.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

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

/// Takes an event as JSON. It returns at once: a busy listener must not hold up the emitter.
pub type Listener = Box<dyn Fn(&str, Urgency) -> Delivery + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    Taken,
    /// The listener's queue is full.
    Dropped,
    /// The listener no longer exists.
    Gone,
}

/// The listeners, shared by all services that the process starts and closes.
#[derive(Default)]
pub struct Events {
    listeners: Mutex<Vec<(u64, Listener)>>,
    /// Internal faults that were already emitted, without their task.
    faults: Mutex<HashSet<InternalFault>>,
    /// How many want to hear what other processes do.
    followers: AtomicUsize,
    added: AtomicU64,
    dropped: AtomicU64,
}

impl Events {
    /// Adds a listener and returns its number, by which it can be removed.
    pub fn add(&self, listener: Listener) -> u64 {
        let number = self.added.fetch_add(1, Ordering::Relaxed);
        self.listeners.lock().push((number, listener));
        number
    }

    pub fn remove(&self, number: u64) {
        self.listeners.lock().retain(|(added, _)| *added != number);
    }

    /// One more wants to hear what other processes do, or one fewer.
    pub fn follow_fleet(&self, follows: bool) {
        if follows {
            self.followers.fetch_add(1, Ordering::Relaxed);
        } else {
            self.followers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether any listener wants to hear what other processes do.
    pub fn follows_fleet(&self) -> bool {
        self.followers.load(Ordering::Relaxed) > 0
    }

    /// Counts an event that a busy listener did not get.
    pub fn count_dropped(&self) {
        self.count_many_dropped(1);
    }

    pub fn count_many_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }

    /// The number of events that busy listeners did not get.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Emits an internal fault once per place, statement and SQLSTATE, whichever task meets it.
    pub fn emit_fault(&self, fault: InternalFault, now: Timestamp, log: bool) {
        /// Bounds the memory; the source has fewer places.
        const FAULTS_MAX: usize = 1_000;
        let origin = InternalFault {
            task: None,
            ..fault.clone()
        };
        let mut faults = self.faults.lock();
        let is_new = faults.len() < FAULTS_MAX && faults.insert(origin);
        drop(faults);
        if is_new {
            self.emit(&Event::InternalError(fault), now, log);
        }
    }

    /// Emits the event to all listeners. Without any, a warning or an alert goes to stderr, if `log` is set.
    pub fn emit(&self, event: &Event, now: Timestamp, log: bool) {
        let envelope = Envelope {
            severity: event.severity(),
            at: now.millis(),
            event,
        };
        let Ok(json) = serde_json::to_string(&envelope) else {
            return;
        };
        let has_listeners = self.hand_over(&json, event.urgency());
        if !has_listeners && log && envelope.severity >= Severity::Warning {
            // A closed stderr is ignored: there is nowhere left to report it.
            let _ = writeln!(std::io::stderr(), "{}", line(&json));
        }
    }
}

impl Events {
    /// Emits what another process did, as JSON that says so.
    pub fn emit_elsewhere(&self, json: &str) {
        self.hand_over(json, Urgency::Rest);
    }

    /// Hands an event to all listeners. Returns whether there are any.
    fn hand_over(&self, json: &str, urgency: Urgency) -> bool {
        let mut listeners = self.listeners.lock();
        listeners.retain(|(_, listener)| match listener(json, urgency) {
            Delivery::Taken => true,
            Delivery::Dropped => {
                self.count_dropped();
                true
            }
            Delivery::Gone => false,
        });
        !listeners.is_empty()
    }
}

/// Escapes everything that a terminal or a log reader might interpret: the line is printable ASCII.
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
