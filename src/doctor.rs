//! What is wrong with a configuration and its database, and how to mend it. It works where nothing else does, so it
//! starts nothing, migrates nothing and writes nothing.

mod access;
mod examine;
mod findings;
mod rows;
mod schema;

pub use examine::examine;
pub use findings::{Finding, FindingStatus};
