//! Events and refused attempts that wait to be written to the audit log.

mod attempts;
mod log;
mod queue;

pub use attempts::{Attempt, Claims, CredentialKind};
pub use log::AuditState;
pub use queue::{AuditBatch, QueuedEntry};
