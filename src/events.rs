//! What operators are told: by listeners, else as lines on stderr.

mod emitter;
mod event;

pub use emitter::{Delivery, Events, Listener};
pub use event::{AdminEvent, Event, InternalFault, KeyEvent, RefusedAttempts, Severity, Urgency};
