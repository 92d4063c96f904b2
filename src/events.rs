//! Events for operators: emitted to listeners, or else written as lines to stderr.

mod emitter;
mod event;

pub use emitter::{Delivery, Events, Listener};
pub use event::{AdminEvent, Event, InternalFault, KeyEvent, RefusedAttempts, Severity, Urgency};
