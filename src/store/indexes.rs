//! Indexes on tables that may be large: built concurrently, so that nobody waits for them.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection};

use super::fault;
use crate::config::quoted;

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

/// Whether every index that is needed stands and is valid.
pub(super) async fn stand(connection: &mut PgConnection) -> sqlx::Result<bool> {
    for (name, ..) in INDEXES {
        if is_valid(connection, &quoted(name)).await? != Some(true) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn build(connection: &mut PgConnection, end: Instant) -> sqlx::Result<()> {
    for (name, unique, columns) in INDEXES {
        let kind = if unique { "UNIQUE INDEX" } else { "INDEX" };
        ensure(connection, name, kind, columns, end).await?;
    }
    let Some(schema) = trigram_schema(connection).await else {
        // Without the extension a search reads the whole table: slower, never wrong.
        return Ok(());
    };
    // A short list of what is not yet in the index: each search reads all of it.
    let columns = format!(
        r#""ApiKey" USING gin ({SEARCHED} {}.gin_trgm_ops) WITH (gin_pending_list_limit = 256)"#,
        quoted(&schema)
    );
    ensure(connection, "ApiKey_search_idx", "INDEX", &columns, end).await
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
            Err(error) if fault::is_transient(&error) && Instant::now() < end => {
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
    sqlx::query_scalar(
        "SELECT nspname::text
         FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
         WHERE extname = 'pg_trgm'",
    )
    .persistent(false)
    .fetch_optional(connection)
    .await
    .ok()
    .flatten()
}
