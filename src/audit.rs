//! What waits to be written to the audit log.

mod attempts;
mod queue;

pub use attempts::{Attempt, CredentialKind};
pub use queue::{AuditQueue, QueuedEntry};
