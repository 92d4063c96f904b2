//! Examines a configuration and its database: what is wrong, and how to fix it. It must work when nothing else does, so
//! it starts nothing, migrates nothing and writes nothing.

mod access;
mod before;
mod examine;
mod findings;
mod limits;
mod rows;
mod schema;
mod scopes;
mod token_keys;
mod tracking;
mod webhooks;

pub use examine::examine;
pub use findings::{Finding, FindingStatus};
