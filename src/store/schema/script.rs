//! What the migrations make, read from their own text, so that it cannot differ from them: as a script for those who
//! migrate by another tool, and as what `doctor` expects to find.

use std::fmt::Write;

use sqlx::migrate::Migration;

use super::indexes;
use super::migrate::{HISTORY, MIGRATIONS, SCHEMA, migration_name};

/// A column of the app's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub table: String,
    pub name: String,
    /// Type, default and so on.
    pub definition: String,
    /// Added to the table of the app; the others came with it.
    pub added: bool,
}

/// A trigger on the app's tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    pub table: String,
    pub name: String,
    /// The statement that makes it.
    pub definition: String,
}

/// The migrations after the one of this number as one script, their history included: where it has run, `migrate()`
/// finds nothing to do.
#[must_use]
pub fn migration_script(after: i64) -> String {
    let mut script = format!(
        "-- The schema of @sophra/api-keys, printed by `sophra-api-keys migrate --sql`. Needs to run once, as a whole.\n\n\
         CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n\
         CREATE TABLE IF NOT EXISTS {HISTORY} (\n  \
           version BIGINT PRIMARY KEY,\n  \
           description TEXT NOT NULL,\n  \
           installed_on TIMESTAMPTZ NOT NULL DEFAULT now(),\n  \
           success BOOLEAN NOT NULL,\n  \
           checksum BYTEA NOT NULL,\n  \
           execution_time BIGINT NOT NULL\n\
         );\n"
    );
    for migration in MIGRATIONS.iter().filter(|next| next.version > after) {
        let _ = write!(
            script,
            "\n-- {}\n\n{}\n\n{}",
            migration_name(migration),
            migration.sql.as_str().trim_end(),
            remembered(migration)
        );
    }
    script + "\n-- Indexes\n\n" + &indexes::script()
}

fn remembered(migration: &Migration) -> String {
    let checksum = migration
        .checksum
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    format!(
        "INSERT INTO {HISTORY} (version, description, success, checksum, execution_time)\n\
         VALUES ({}, '{}', true, '\\x{checksum}', 0);\n",
        migration.version, migration.description,
    )
}

/// Every column that the app's tables must have.
#[must_use]
pub fn expected_columns() -> Vec<Column> {
    MIGRATIONS
        .iter()
        .flat_map(|migration| columns_of(migration.sql.as_str()))
        .collect()
}

fn columns_of(sql: &str) -> Vec<Column> {
    let mut columns = Vec::new();
    let mut table = None;
    for line in sql.lines().map(str::trim) {
        if let Some(rest) = line
            .strip_prefix("CREATE TABLE ")
            .or_else(|| line.strip_prefix("ALTER TABLE "))
        {
            // Those of the schema of our own are not in quotes, and nobody else touches them.
            table = identifier(rest).map(|(name, _)| name);
        }
        let added = line
            .split_once("ADD COLUMN IF NOT EXISTS ")
            .map(|(_, rest)| rest);
        let Some((name, definition)) = added.or(Some(line)).and_then(identifier) else {
            continue;
        };
        if let Some(table) = table {
            columns.push(Column {
                table: table.to_owned(),
                name: name.to_owned(),
                definition: definition.trim().trim_end_matches([',', ';']).to_owned(),
                added: added.is_some(),
            });
        }
        if line.ends_with(';') {
            table = None;
        }
    }
    columns
}

/// Every trigger that the app's tables must have, as the last migration that speaks of it makes it.
#[must_use]
pub fn expected_triggers() -> Vec<Trigger> {
    let mut triggers: Vec<Trigger> = Vec::new();
    for made in MIGRATIONS
        .iter()
        .flat_map(|next| triggers_of(next.sql.as_str()))
    {
        triggers.retain(|older| older.name != made.name || older.table != made.table);
        triggers.push(made);
    }
    triggers
}

fn triggers_of(sql: &str) -> Vec<Trigger> {
    sql.split_inclusive(";\n").filter_map(trigger_of).collect()
}

/// Comments may stand before the statement.
fn trigger_of(statement: &str) -> Option<Trigger> {
    let at = statement.find("CREATE TRIGGER ")?;
    let begins_a_line = at == 0 || statement[..at].ends_with('\n');
    let definition = statement[at..].trim();
    let name = definition.split_whitespace().nth(2)?;
    let (_, target) = definition.split_once(" ON ")?;
    let (table, _) = identifier(target)?;
    begins_a_line.then(|| Trigger {
        table: table.to_owned(),
        name: name.to_owned(),
        definition: definition.to_owned(),
    })
}

/// A leading identifier in quotes, and what follows it.
fn identifier(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_the_app_and_those_added() {
        let columns = expected_columns();
        let find = |table: &str, name: &str| {
            let found = columns
                .iter()
                .filter(|column| column.table == table && column.name == name);
            found
                .map(|column| (column.definition.as_str(), column.added))
                .collect::<Vec<_>>()
        };
        assert_eq!(find("ApiKey", "rateLimit"), [("INTEGER", false)]);
        assert_eq!(find("ApiKey", "lookup"), [("TEXT", true)]);
        assert_eq!(
            find("ApiKey", "scopes"),
            [("TEXT[] NOT NULL DEFAULT '{}'", true)]
        );
        assert_eq!(find("ApiKey", "coldDigest"), [("BYTEA", true)]);
        assert_eq!(find("AdminToken", "expiresAt"), [("TIMESTAMP(3)", true)]);
        assert!(columns.iter().all(|column| !column.definition.is_empty()));
    }

    #[test]
    fn the_triggers_are_whole_statements() {
        let triggers = expected_triggers();
        assert!(triggers.len() >= 3);
        for Trigger {
            table, definition, ..
        } in &triggers
        {
            assert!(table == "ApiKey" || table == "AdminToken");
            assert!(definition.starts_with("CREATE TRIGGER "), "{definition}");
            assert!(definition.ends_with(';') && definition.matches(';').count() == 1);
        }
    }

    #[test]
    fn a_trigger_is_found_after_a_comment_and_after_a_statement() {
        let sql = "-- About it.\nCREATE TRIGGER one\nAFTER INSERT ON \"A\" EXECUTE FUNCTION f();\n\
                   DROP TRIGGER IF EXISTS two ON \"B\";\nCREATE TRIGGER two\nAFTER INSERT ON \"B\" EXECUTE FUNCTION f();\n";
        let found: Vec<_> = triggers_of(sql)
            .into_iter()
            .map(|trigger| (trigger.table, trigger.name))
            .collect();
        let named = |table: &str, name: &str| (table.to_owned(), name.to_owned());
        assert_eq!(found, [named("A", "one"), named("B", "two")]);
    }

    #[test]
    fn a_script_can_begin_later() {
        assert!(migration_script(0).contains("-- 0001_keys\n"));
        assert!(!migration_script(1).contains("-- 0001_keys\n"));
        assert!(migration_script(1).contains("-- 0002_own_tables\n"));
    }
}
