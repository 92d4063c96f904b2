//! What operators are told: to whoever listens, else as lines on stderr.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::model::Timestamp;

/// Something that happened. Never with a secret in it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type")]
pub enum Event {
    /// A key exceeded its rate limit: told once, by the process that stored it.
    #[serde(rename = "key.suspended", rename_all = "camelCase")]
    KeySuspended {
        key_id: String,
        name: String,
        client_id: String,
        /// Milliseconds since 1970.
        suspended_until: i64,
    },
    /// An admin token of an old instance permits everything from here on, by its name.
    #[serde(rename = "admin.adopted", rename_all = "camelCase")]
    AdminAdopted {
        token_id: String,
        name: String,
        permissions: Vec<String>,
    },
    /// A setting that works and is not advisable.
    #[serde(rename = "configuration.warning")]
    ConfigurationWarning { message: String },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

#[derive(Serialize)]
struct Told<'a> {
    severity: Severity,
    /// Milliseconds since 1970.
    at: i64,
    #[serde(flatten)]
    event: &'a Event,
}

/// Takes an event as JSON, at once: a listener that is busy must not hold up who tells.
pub type Listener = Box<dyn Fn(&str) -> Delivery + Send + Sync>;

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
    added: AtomicU64,
    dropped: AtomicU64,
}

impl Event {
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::KeySuspended { .. }
            | Self::AdminAdopted { .. }
            | Self::ConfigurationWarning { .. } => Severity::Warning,
        }
    }
}

impl Events {
    /// Answers the listener's number, by which it can be removed.
    pub fn add(&self, listener: Listener) -> u64 {
        let number = self.added.fetch_add(1, Ordering::Relaxed);
        self.locked().push((number, listener));
        number
    }

    pub fn remove(&self, number: u64) {
        self.locked().retain(|(added, _)| *added != number);
    }

    /// Events that a listener with a full queue did not get.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Tells all who listen. Where nobody does, what is no mere information goes to stderr, if `log` says so.
    pub fn tell(&self, event: &Event, now: Timestamp, log: bool) {
        let told = Told {
            severity: event.severity(),
            at: now.millis(),
            event,
        };
        let Ok(json) = serde_json::to_string(&told) else {
            return;
        };
        let mut listeners = self.locked();
        listeners.retain(|(_, listener)| match listener(&json) {
            Delivery::Taken => true,
            Delivery::Dropped => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                true
            }
            Delivery::Gone => false,
        });
        let heard = !listeners.is_empty();
        drop(listeners);
        if !heard && log && told.severity >= Severity::Warning {
            // Nobody is left to tell where stderr is closed.
            let _ = writeln!(std::io::stderr(), "{}", line(&json));
        }
    }

    fn locked(&self) -> MutexGuard<'_, Vec<(u64, Listener)>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
