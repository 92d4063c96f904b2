//! The schema: its migrations, and the indexes that are built while the app runs.

mod embedded;
mod expected;
mod failure;
pub(super) mod indexes;
mod lock;
mod manifest;
pub(super) mod migrate;
pub(super) mod privileges;
mod script;
mod standing;
pub(super) mod triggers;

pub use expected::Column;
pub use manifest::COLUMNS;
pub use migrate::{History, Migrated, migrate};
pub(super) use standing::Standing;
pub(super) use triggers::TriggerState;

pub use script::migration_script;
pub use triggers::TriggerFault;
