//! The findings on tables, columns, triggers, indexes and privileges.

use crate::config::{Config, quoted};
use crate::store::{COLUMNS, Column, History, Store, TRIGGERS, Trigger};

use super::{Findings, MIGRATE};

/// Examines the schema. Returns whether the rows can be examined next.
pub(super) async fn examine(findings: &mut Findings, store: &Store, config: &Config) -> bool {
    let tables = store.tables().await;
    let Some(tables) = findings.answer("tables", tables) else {
        return false;
    };
    privileges(findings, store).await;
    if !tables.api_key || !tables.admin_token {
        missing_tables(findings, &tables, config);
        return false;
    }
    findings.ok("tables", "\"ApiKey\" and \"AdminToken\" are there");
    migrations(findings, store).await;
    let complete = columns(findings, store).await;
    triggers(findings, store).await;
    indexes(findings, store).await;
    if tables.own_schema {
        change_log(findings, store).await;
    }
    complete && tables.own_schema
}

fn missing_tables(findings: &mut Findings, tables: &crate::store::Tables, config: &Config) {
    let schema = tables
        .schema
        .as_deref()
        .or(config.database_url.schema.as_deref());
    let message = format!(
        "The schema {} lacks the tables \"ApiKey\" and \"AdminToken\", or one of them",
        schema.unwrap_or("(none)")
    );
    if tables.elsewhere.is_empty() {
        findings.problem("tables", message, MIGRATE);
    } else {
        let remedy = format!(
            "There is an \"ApiKey\" in {}: name its schema in DATABASE_URL (?schema=…), or make new tables: {MIGRATE}",
            tables.elsewhere.join(", ")
        );
        findings.problem("tables", message, remedy);
    }
}

async fn privileges(findings: &mut Findings, store: &Store) {
    let answer = store.privileges().await;
    let Some(privileges) = findings.answer("privileges", answer) else {
        return;
    };
    if !privileges.missing.is_empty() {
        findings.problem(
            "privileges",
            format!(
                "The role {} lacks {}",
                privileges.role,
                privileges.missing.join(", ")
            ),
            "Use the role that owns the tables, or run the statements below as that one",
        );
        let role = quoted(&privileges.role);
        let grant = |missing: &String| format!("GRANT {missing} TO {role};");
        findings.with_sql(&privileges.missing.iter().map(grant).collect::<Vec<_>>());
    } else if !privileges.may_migrate {
        findings.warning(
            "privileges",
            format!("The role {} may use the tables, but not migrate them", privileges.role),
            "Migrate by a role that owns the tables (DIRECT_DATABASE_URL, or in the deployment), with \
             API_KEYS_MIGRATE=manual",
        );
    } else {
        findings.ok(
            "privileges",
            format!("The role {} has all that is needed", privileges.role),
        );
    }
}

async fn migrations(findings: &mut Findings, store: &Store) {
    let answer = store.migration_history().await;
    let Some(History { pending, altered }) = findings.answer("migrations", answer) else {
        return;
    };
    if !altered.is_empty() {
        findings.problem(
            "migrations",
            format!("Applied with other contents: {}", altered.join(", ")),
            "Use the build of @sophra/api-keys that has migrated this database, or restore a backup from before",
        );
    } else if pending.is_empty() {
        findings.ok("migrations", "All have been applied");
    } else {
        findings.problem(
            "migrations",
            format!("Not applied yet: {}", pending.join(", ")),
            MIGRATE,
        );
    }
}

/// Finds columns that another tool has dropped: `prisma db push` drops those that its model does not name.
async fn columns(findings: &mut Findings, store: &Store) -> bool {
    let answer = store.columns().await;
    let Some(found) = findings.answer("columns", answer) else {
        return false;
    };
    let type_of = |table: &str, name: &str| {
        let found = found
            .iter()
            .find(|column| column.table == table && column.name == name);
        found.map(|column| column.data_type.as_str())
    };
    let missing: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| type_of(column.table, column.name).is_none())
        .collect();
    if missing.is_empty() {
        findings.ok("columns", "None is missing");
    } else {
        let names: Vec<_> = missing
            .iter()
            .map(|column| format!("\"{}\".\"{}\"", column.table, column.name))
            .collect();
        let (remedy, sql) = remedy_of(&missing);
        findings.problem("columns", format!("Missing: {}", names.join(", ")), remedy);
        findings.with_sql(&sql);
    }
    if type_of("ApiKey", "usageCount") == Some("integer") {
        findings.warning(
            "usage-count",
            "\"usageCount\" is INTEGER: counting stops at 2147483647",
            "In a quiet hour, since it rewrites the table, run the statement below",
        );
        findings.with_sql(&[
            "ALTER TABLE \"ApiKey\" ALTER COLUMN \"usageCount\" TYPE BIGINT;".to_owned(),
        ]);
    } else {
        findings.ok("usage-count", "\"usageCount\" is wide enough");
    }
    missing.is_empty()
}

/// The remedy in words, and in SQL.
fn remedy_of(missing: &[&Column]) -> (String, Vec<String>) {
    // "start" ends with the lookup, so the lookups of keys made by this package can be restored.
    const LOOKUP: &str =
        "UPDATE \"ApiKey\" SET \"lookup\" = right(\"start\", 12) WHERE \"start\" IS NOT NULL;";
    let mut remedy = String::from(
        "Stop what drops them: add them to the Prisma model. What they held is in a backup only. ",
    );
    if missing.iter().any(|column| !column.added) {
        remedy.push_str("Restore the columns that the table had at first. ");
    }
    let mut sql = Vec::new();
    for column in missing.iter().filter(|column| column.added) {
        let Column {
            table,
            name,
            definition,
            ..
        } = column;
        sql.push(format!(
            "ALTER TABLE \"{table}\" ADD COLUMN \"{name}\" {definition};"
        ));
        if (*table, *name) == ("ApiKey", "lookup") {
            sql.push(LOOKUP.to_owned());
        }
    }
    if !sql.is_empty() {
        remedy.push_str("Run the statements below, then: ");
        remedy.push_str(MIGRATE);
    }
    (remedy, sql)
}

/// Finds triggers that are missing or not always enabled. Without them, changes by other writers do not reach the
/// processes.
async fn triggers(findings: &mut Findings, store: &Store) {
    let answer = store.triggers().await;
    let Some(found) = findings.answer("triggers", answer) else {
        return;
    };
    let mut faults = Vec::new();
    let mut sql = Vec::new();
    for Trigger {
        table,
        name,
        definition,
    } in TRIGGERS
    {
        let state = found
            .iter()
            .find(|trigger| trigger.table == *table && trigger.name == *name);
        match state.map(|trigger| trigger.enabled.as_str()) {
            Some("A") => continue,
            Some(_) => faults.push(format!("{name} on \"{table}\" is not enabled always")),
            None => {
                faults.push(format!("{name} on \"{table}\" is missing"));
                sql.push((*definition).to_owned());
            }
        }
        sql.push(format!(
            "ALTER TABLE \"{table}\" ENABLE ALWAYS TRIGGER {name};"
        ));
    }
    if faults.is_empty() {
        findings.ok("triggers", "All are there and always enabled");
    } else {
        findings.problem(
            "triggers",
            format!(
                "{}: a key that somebody else disables or deletes may be accepted still",
                faults.join(", ")
            ),
            format!("Where migrations are pending: {MIGRATE}. Else run the statements below"),
        );
        findings.with_sql(&sql);
    }
}

async fn indexes(findings: &mut Findings, store: &Store) {
    let answer = store.faulty_indexes().await;
    match findings.answer("indexes", answer) {
        None => {}
        Some(faulty) if faulty.is_empty() => findings.ok("indexes", "All stand and are valid"),
        Some(faulty) => findings.problem(
            "indexes",
            format!("Missing or invalid: {}", faulty.join(", ")),
            MIGRATE,
        ),
    }
    let answer = store.trigrams().await;
    match findings.answer("pg_trgm", answer) {
        None => {}
        Some((true, _)) => findings.ok("pg_trgm", "It is installed"),
        Some((false, true)) => findings.warning(
            "pg_trgm",
            "It is not installed: a search of keys reads the whole table",
            format!("As a role that may: CREATE EXTENSION pg_trgm; then {MIGRATE}"),
        ),
        Some((false, false)) => findings.warning(
            "pg_trgm",
            "The server does not have it: a search of keys reads the whole table",
            "Install the contrib package of PostgreSQL, if searches are slow",
        ),
    }
}

async fn change_log(findings: &mut Findings, store: &Store) {
    let answer = store.read_changes(None).await;
    if findings.answer("change-log", answer).is_some() {
        findings.ok("change-log", "It can be read");
    }
}
