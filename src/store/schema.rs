//! The schema: its migrations, and the indexes that are built while the app runs.

mod expected;
mod failure;
pub(super) mod indexes;
mod lock;
mod manifest;
pub(super) mod migrate;
pub(super) mod privileges;
mod script;

pub use expected::{Column, Trigger};
pub use manifest::{COLUMNS, TRIGGERS};
pub use migrate::{History, Migrated, migrate};
pub use script::migration_script;
