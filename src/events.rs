//! Events for operators: emitted to listeners, or else written as lines to stderr.

mod changes;
mod emitter;
mod event;

pub use changes::changed_fields;
pub use emitter::{Delivery, Events, Listener};
pub use event::{
    AdminEvent, ClientEvent, Event, InternalFault, KeyEvent, KeyLeaked, KeyRevoked, KeysImported,
    KeysRevoked, LimitName, QuotaEvent, RefusedAttempts, RequestOrigin, RoleEvent, Severity,
    Urgency, WebhookEvent,
};
