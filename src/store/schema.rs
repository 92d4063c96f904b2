//! The schema: its migrations, and the indexes that are built while the app runs.

mod expected;
mod failure;
pub(super) mod indexes;
mod lock;
mod manifest;
pub(super) mod migrate;
pub(super) mod privileges;
mod script;
pub(super) mod triggers;

pub use expected::Column;
pub use manifest::COLUMNS;
pub use migrate::{History, Migrated, migrate};
pub use script::migration_script;
pub use triggers::TriggerFault;
