//! The findings on tables, columns, indexes and privileges.

use super::findings::{Findings, MIGRATE};
use super::tracking;
use crate::config::{Config, quoted};
use crate::store::{COLUMNS, Column, History, Store, Tables};

/// Examines the schema. Returns whether the rows can be examined next.
pub(super) async fn examine(findings: &mut Findings, store: &Store, config: &Config) -> bool {
    let Some(tables) = tables(findings, store, config).await else {
        return false;
    };
    privileges(findings, store).await;
    if migrations(findings, store).await {
        // What it adds is not missing yet, and statements that mend it would fail.
        tracking::row_security(findings, store).await;
        return false;
    }
    let complete = columns(findings, store).await;
    tracking::examine(findings, store, tables.own_schema).await;
    indexes(findings, store).await;
    complete && tables.own_schema
}

/// The tables, if both exist.
pub(super) async fn tables(
    findings: &mut Findings,
    store: &Store,
    config: &Config,
) -> Option<Tables> {
    let tables = findings.answer("tables", store.tables().await)?;
    if tables.api_key && tables.admin_token {
        findings.ok("tables", "The tables \"ApiKey\" and \"AdminToken\" exist");
        return Some(tables);
    }
    missing_tables(findings, &tables, config);
    if tables.elsewhere.is_empty() {
        may_create(findings, store, config).await;
    }
    None
}

fn missing_tables(findings: &mut Findings, tables: &Tables, config: &Config) {
    let schema = tables
        .schema
        .as_deref()
        .or(config.database_url.schema.as_deref());
    let message = format!(
        "The schema {} lacks \"ApiKey\", \"AdminToken\" or both",
        schema.unwrap_or("(none)")
    );
    if tables.elsewhere.is_empty() {
        findings.problem("tables", message, MIGRATE);
    } else {
        // The change log and the triggers belong to one pair of tables.
        let otherwise = if tables.own_schema {
            "or use a database of its own: a database holds the keys of one schema".to_owned()
        } else {
            format!("or create new tables: {MIGRATE}")
        };
        let remedy = format!(
            "There is an \"ApiKey\" in {}: name that schema in DATABASE_URL (?schema=…), {otherwise}",
            tables.elsewhere.join(", ")
        );
        findings.problem("tables", message, remedy);
    }
}

/// Examines whether the role may create the tables, where there are none.
async fn may_create(findings: &mut Findings, store: &Store, config: &Config) {
    let answer = store.lacking(config.database_url.schema.as_deref()).await;
    let Some(lacking) = findings.answer("privileges", answer) else {
        return;
    };
    if lacking.privileges.is_empty() {
        findings.ok("privileges", "The role can create the tables");
    } else {
        let privileges = lacking.privileges.join(", ");
        findings.problem(
            "privileges",
            format!(
                "The role {} cannot create the tables: it lacks {privileges}",
                lacking.role
            ),
            "Migrate with a role that may, or run the statements below as an administrator",
        );
        findings.with_sql(&lacking.statements);
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
            "Use the role that owns the tables, or run the statements below as that role",
        );
        let role = quoted(&privileges.role);
        let grant = |missing: &String| format!("GRANT {missing} TO {role};");
        findings.with_sql(&privileges.missing.iter().map(grant).collect::<Vec<_>>());
    } else if !privileges.may_migrate {
        findings.warning(
            "privileges",
            format!("The role {} can use the tables, but cannot migrate them", privileges.role),
            "Migrate with a role that owns the tables: set DIRECT_DATABASE_URL, or migrate in a deployment step and \
             set API_KEYS_MIGRATE=manual",
        );
    } else {
        findings.ok(
            "privileges",
            format!(
                "The role {} has all privileges that are needed",
                privileges.role
            ),
        );
    }
}

/// Returns whether migrations are pending.
async fn migrations(findings: &mut Findings, store: &Store) -> bool {
    let answer = store.migration_history().await;
    let Some(History { pending, altered }) = findings.answer("migrations", answer) else {
        return false;
    };
    if !altered.is_empty() {
        findings.problem(
            "migrations",
            format!("Migrations were applied with different contents: {}", altered.join(", ")),
            "Use the build of @sophra/api-keys that migrated this database, or restore a backup from before the migration",
        );
    } else if pending.is_empty() {
        findings.ok("migrations", "All migrations have been applied");
    } else {
        findings.problem(
            "migrations",
            format!("Migrations are pending: {}", pending.join(", ")),
            format!("{MIGRATE}. Then run doctor again, to examine what they add"),
        );
    }
    !pending.is_empty()
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
        findings.ok("columns", "No column is missing");
    } else {
        let names: Vec<_> = missing
            .iter()
            .map(|column| format!("\"{}\".\"{}\"", column.table, column.name))
            .collect();
        let (remedy, sql) = remedy_of(&missing);
        findings.problem(
            "columns",
            format!("Columns are missing: {}", names.join(", ")),
            remedy,
        );
        findings.with_sql(&sql);
    }
    if type_of("ApiKey", "usageCount") == Some("integer") {
        findings.warning(
            "usage-count",
            "\"usageCount\" is INTEGER, so counting stops at 2147483647",
            "Once no instance of an older implementation is running, whose statements would fail, and at a quiet time, since it \
             rewrites the table, run the statement below",
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
        "Add the columns to the Prisma model, so that they are not dropped again. Their contents exist only in a \
         backup. ",
    );
    if missing.iter().any(|column| !column.added) {
        remedy.push_str("Restore the columns of the original table. ");
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
        remedy.push_str("Run the statements below, then ");
        remedy.push_str(MIGRATE);
    }
    (remedy, sql)
}

async fn indexes(findings: &mut Findings, store: &Store) {
    let answer = store.faulty_indexes().await;
    match findings.answer("indexes", answer) {
        None => {}
        Some(faulty) if faulty.is_empty() => {
            findings.ok("indexes", "All indexes exist and are valid");
        }
        Some(faulty) => findings.problem(
            "indexes",
            format!("Indexes are missing or invalid: {}", faulty.join(", ")),
            MIGRATE,
        ),
    }
    let answer = store.trigrams().await;
    match findings.answer("pg_trgm", answer) {
        None => {}
        Some((true, _)) => findings.ok("pg_trgm", "The extension is installed"),
        Some((false, true)) => findings.warning(
            "pg_trgm",
            "The extension is not installed: searching for keys reads the whole table",
            format!("Run CREATE EXTENSION pg_trgm with a role that is allowed to, then {MIGRATE}"),
        ),
        Some((false, false)) => findings.warning(
            "pg_trgm",
            "The server does not offer the extension: searching for keys reads the whole table",
            "If searches are slow, install the contrib package of PostgreSQL",
        ),
    }
}
