//! The schema: its migrations, and the indexes that are built beside running traffic.

pub(super) mod indexes;
pub(super) mod migrate;
mod script;

pub use migrate::{Migrated, migrate};
pub use script::{Column, Trigger, expected_columns, expected_triggers, migration_script};
