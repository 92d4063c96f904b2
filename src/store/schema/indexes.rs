//! Indexes on tables that may be large: built concurrently, so that nobody waits for them.

use std::fmt::Write;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection};

use crate::config::quoted;
use crate::store::connection::error;

/// Name, whether unique, table and columns.
const INDEXES: [(&str, bool, &str); 8] = [
    ("ApiKey_lookup_key", true, r#""ApiKey" ("lookup")"#),
    (
        "ApiKey_previousLookup_key",
        true,
        r#""ApiKey" ("previousLookup")"#,
    ),
    (
        "ApiKey_createdAt_id_idx",
        false,
        r#""ApiKey" ("createdAt", "id")"#,
    ),
    (
        "ApiKey_clientId_createdAt_id_idx",
        false,
        r#""ApiKey" ("clientId", "createdAt", "id")"#,
    ),
    (
        "ApiKey_isActive_createdAt_id_idx",
        false,
        r#""ApiKey" ((coalesce("isActive", false)), "createdAt", "id")"#,
    ),
    ("AdminToken_lookup_key", true, r#""AdminToken" ("lookup")"#),
    // Of rows of old instances alone: nothing is in them once all are adopted.
    (
        "ApiKey_plaintext_idx",
        false,
        r#""ApiKey" (sha256(replace("key", E'\\', E'\\\\')::bytea)) WHERE "lookup" IS NULL"#,
    ),
    (
        "AdminToken_plaintext_idx",
        false,
        r#""AdminToken" (sha256(replace("token", E'\\', E'\\\\')::bytea)) WHERE "lookup" IS NULL"#,
    ),
];

/// What `search` looks into, word for word as `list_keys` says it: one index over both columns is half the work of two
/// wherever a row is written.
const SEARCHED: &str = r#"(coalesce("name", '') || E'\n' || coalesce("description", ''))"#;

const SEARCH_INDEX: &str = "ApiKey_search_idx";

/// Whether every index that is needed stands and is valid, and those of a search where there can be any.
pub(in crate::store) async fn stand(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let searched = installed_trigram_schema(connection).await?.is_some();
    Ok(faults(connection, searched).await?.is_empty())
}

/// The indexes that are missing or invalid.
pub(in crate::store) async fn faults(
    connection: &mut PgConnection,
    searched: bool,
) -> sqlx::Result<Vec<&'static str>> {
    let needed = INDEXES.iter().map(|(name, ..)| *name);
    let mut faults = Vec::new();
    for name in needed.chain(searched.then_some(SEARCH_INDEX)) {
        if is_valid(connection, &quoted(name)).await? != Some(true) {
            faults.push(name);
        }
    }
    Ok(faults)
}

/// For a script that runs inside a transaction, where nothing can be built concurrently.
pub(in crate::store) fn script() -> String {
    let mut script = String::new();
    for (name, unique, columns) in INDEXES {
        let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
        let _ = writeln!(
            script,
            "CREATE {kind} IF NOT EXISTS {} ON {columns};",
            quoted(name)
        );
    }
    script.push_str(
        "\n-- A search reads the whole table where the extension pg_trgm is not installed.\n\
         DO $$\nDECLARE\n  trigrams TEXT := (\n    SELECT quote_ident(nspname)\n    \
         FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace\n    \
         WHERE extname = 'pg_trgm'\n  );\nBEGIN\n  IF trigrams IS NOT NULL THEN\n",
    );
    let _ = writeln!(
        script,
        "    EXECUTE format(\n      $index$CREATE INDEX IF NOT EXISTS {} ON {}$index$,\n      trigrams\n    );",
        quoted(SEARCH_INDEX),
        search_index("%s")
    );
    script.push_str("  END IF;\nEND\n$$;\n");
    script
}

pub(in crate::store) async fn build(
    connection: &mut PgConnection,
    end: Instant,
) -> sqlx::Result<()> {
    for (name, unique, columns) in INDEXES {
        let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
        ensure(connection, name, kind, columns, end).await?;
    }
    let Some(schema) = trigram_schema(connection).await else {
        // Without the extension a search reads the whole table: slower, never wrong.
        return Ok(());
    };
    let columns = search_index(&quoted(&schema));
    ensure(connection, SEARCH_INDEX, "INDEX", &columns, end).await
}

/// A short list of what is not yet in the index: each search reads all of it.
fn search_index(trigrams: &str) -> String {
    format!(
        r#""ApiKey" USING gin ({SEARCHED} {trigrams}.gin_trgm_ops) WITH (gin_pending_list_limit = 256)"#
    )
}

/// Builds the index unless it stands. A build that was cut off leaves an invalid one: it is made anew.
async fn ensure(
    connection: &mut PgConnection,
    name: &str,
    kind: &str,
    columns: &str,
    end: Instant,
) -> sqlx::Result<()> {
    const PAUSE: Duration = Duration::from_millis(100);
    let name = quoted(name);
    loop {
        let statement = match is_valid(connection, &name).await? {
            Some(true) => return Ok(()),
            Some(false) => format!("DROP INDEX CONCURRENTLY IF EXISTS {name}"),
            None => format!("CREATE {kind} CONCURRENTLY IF NOT EXISTS {name} ON {columns}"),
        };
        match sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
        {
            Ok(_) => {}
            Err(error) if error::is_transient(&error) && Instant::now() < end => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn is_valid(connection: &mut PgConnection, name: &str) -> sqlx::Result<Option<bool>> {
    sqlx::query_scalar("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)")
        .bind(name)
        .persistent(false)
        .fetch_optional(connection)
        .await
}

/// The schema of `pg_trgm`, created where that is possible.
async fn trigram_schema(connection: &mut PgConnection) -> Option<String> {
    // Refused for want of privileges, or not shipped with the server: an installed one may still stand.
    let _ = sqlx::raw_sql("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        .execute(&mut *connection)
        .await;
    installed_trigram_schema(connection).await.ok().flatten()
}

pub(in crate::store) async fn installed_trigram_schema(
    connection: &mut PgConnection,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT nspname::text
         FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
         WHERE extname = 'pg_trgm'",
    )
    .persistent(false)
    .fetch_optional(connection)
    .await
}
