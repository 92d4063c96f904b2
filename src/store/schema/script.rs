//! The migrations as a script, for operators who migrate with another tool.

use std::fmt::Write;

use sqlx::migrate::Migration;

use super::embedded::{self, MIGRATIONS};
use super::indexes;
use super::migrate::{HISTORY, SCHEMA};
use crate::error::Error;
use crate::model::to_hex;

/// The migrations after the one with this number, and the indexes, as one script. The script also writes the migration
/// history: once it has run, `migrate()` finds nothing to do.
pub fn migration_script(after: i64) -> Result<String, Error> {
    let mut script = format!(
        "-- The schema of @sophra/api-keys, printed by `npx @sophra/api-keys migrate --sql`. Run it once, as a whole.\n\n\
         DO $$\nBEGIN\n  IF to_regnamespace('{SCHEMA}') IS NULL THEN\n    CREATE SCHEMA {SCHEMA};\n  END IF;\nEND\n$$;\n\
         CREATE TABLE IF NOT EXISTS {HISTORY} (\n  \
           version BIGINT PRIMARY KEY,\n  \
           description TEXT NOT NULL,\n  \
           installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n  \
           success BOOLEAN NOT NULL,\n  \
           checksum BYTEA NOT NULL,\n  \
           execution_time BIGINT NOT NULL\n\
         );\n"
    );
    let migrations = embedded::migrations()?;
    let named = MIGRATIONS.iter().zip(&migrations);
    for (embedded, migration) in named.filter(|(embedded, _)| embedded.version > after) {
        let _ = write!(
            script,
            "\n-- {}\n\n{}\n\n{}",
            embedded.name(),
            migration.sql.as_str().trim_end(),
            history_entry(migration)
        );
    }
    Ok(script + "\n-- Indexes\n\n" + &indexes::script())
}

/// The statement that records the migration as applied.
fn history_entry(migration: &Migration) -> String {
    let checksum = to_hex(&migration.checksum);
    format!(
        "INSERT INTO {HISTORY} (version, description, success, checksum, execution_time)\n\
         VALUES ({}, '{}', true, '\\x{checksum}', 0);\n",
        migration.version, migration.description,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_can_begin_later() {
        let script = |after| migration_script(after).unwrap();
        assert!(script(0).contains("-- 0001_app_tables\n"));
        assert!(!script(1).contains("-- 0001_app_tables\n"));
        assert!(script(1).contains("-- 0002_added_columns\n"));
    }
}
