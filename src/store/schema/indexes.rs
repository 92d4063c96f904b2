//! Indexes on the tables of the app. These may be large, so the indexes are built concurrently and block no writer.

use std::fmt::Write;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, PgConnection};

use crate::config::quoted;
use crate::store::connection::error;

/// Name, whether the index is unique, table and columns.
const INDEXES: [(&str, bool, &str); 23] = [
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
    // Of the keys that count towards `maxKeys`: a client may have any number of revoked ones.
    (
        "ApiKey_clientId_counted_idx",
        false,
        r#""ApiKey" ("clientId") WHERE "revokedAt" IS NULL"#,
    ),
    (
        "ApiKey_createdBy_createdAt_id_idx",
        false,
        r#""ApiKey" ("createdBy", "createdAt", "id") WHERE "createdBy" IS NOT NULL"#,
    ),
    (
        "ApiKey_expiresAt_id_idx",
        false,
        r#""ApiKey" ("expiresAt", "id")"#,
    ),
    (
        "ApiKey_name_id_idx",
        false,
        r#""ApiKey" (("left"(sophra_api_keys.folded(coalesce("name", '')), 200)) COLLATE "C", "id")"#,
    ),
    // By status, in the order of the list, as far as the status does not change with time alone.
    (
        "ApiKey_revoked_idx",
        false,
        r#""ApiKey" ("createdAt", "id") WHERE "revokedAt" IS NOT NULL"#,
    ),
    (
        "ApiKey_disabled_idx",
        false,
        r#""ApiKey" ("createdAt", "id") WHERE "revokedAt" IS NULL AND NOT coalesce("isActive", false)"#,
    ),
    (
        "ApiKey_suspended_idx",
        false,
        r#""ApiKey" ("createdAt", "id") WHERE "suspendedUntil" IS NOT NULL"#,
    ),
    (
        "ApiKey_scopes_idx",
        false,
        r#""ApiKey" USING gin ("scopes") WITH (gin_pending_list_limit = 256)"#,
    ),
    (
        "ApiKey_roles_idx",
        false,
        r#""ApiKey" USING gin ("roles") WITH (gin_pending_list_limit = 256) WHERE "roles" <> '{}'"#,
    ),
    (
        "ApiKey_metadata_idx",
        false,
        r#""ApiKey" USING gin ("metadata" jsonb_path_ops) WITH (gin_pending_list_limit = 256)"#,
    ),
    // Of the keys that a purge looks at, in its order.
    (
        "ApiKey_revokedAt_id_idx",
        false,
        r#""ApiKey" ("revokedAt", "id") WHERE "revokedAt" IS NOT NULL"#,
    ),
    // Of the keys with an idle time of their own.
    (
        "ApiKey_maxIdleDays_idx",
        false,
        r#""ApiKey" ("maxIdleDays") WHERE "maxIdleDays" IS NOT NULL"#,
    ),
    ("AdminToken_lookup_key", true, r#""AdminToken" ("lookup")"#),
    (
        "AdminToken_previousLookup_key",
        true,
        r#""AdminToken" ("previousLookup")"#,
    ),
    // These two contain legacy rows only: they are empty once every row has been imported.
    (
        "ApiKey_plaintext_idx",
        false,
        r#""ApiKey" (sophra_api_keys.plaintext_digest("key")) WHERE "lookup" IS NULL"#,
    ),
    (
        "AdminToken_plaintext_idx",
        false,
        r#""AdminToken" (sophra_api_keys.plaintext_digest("token")) WHERE "lookup" IS NULL"#,
    ),
    // A hash without a lookup, and a lookup beside plaintext: nobody can use such a key. They are empty, unless another
    // writer has made one.
    (
        "ApiKey_lost_lookup_idx",
        false,
        r#""ApiKey" ("id") WHERE "lookup" IS NULL AND ("key" LIKE '$argon2id$%' OR "key" LIKE '$import$%')"#,
    ),
    (
        "ApiKey_stray_lookup_idx",
        false,
        r#""ApiKey" ("id") WHERE "lookup" IS NOT NULL AND "key" NOT LIKE '$argon2id$%' AND "key" NOT LIKE '$import$%'"#,
    ),
];

/// The expression that `search` matches, word for word as in the function `key_conditions`. One index over both columns costs a write
/// half as much as two.
const SEARCHED: &str =
    r#"sophra_api_keys.folded(coalesce("name", '') || E'\n' || coalesce("description", ''))"#;

const SEARCH_INDEX: &str = "ApiKey_search_idx";

/// Whether every index exists and is valid. The index of a search counts only where `pg_trgm` is installed.
pub(in crate::store) async fn stand(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let searched = installed_trigram_schema(connection).await?.is_some();
    Ok(faults(connection, searched).await?.is_empty())
}

/// The names of all indexes.
pub(in crate::store) fn names() -> Vec<&'static str> {
    let needed = INDEXES.iter().map(|(name, ..)| *name);
    needed.chain([SEARCH_INDEX]).collect()
}

/// The indexes that are missing if these are valid.
pub(super) fn faults_in(valid: &[String], has_trigrams: bool) -> Vec<&'static str> {
    let is_needed = |name: &&str| has_trigrams || *name != SEARCH_INDEX;
    let is_valid = |name: &str| valid.iter().any(|valid| valid == name);
    names()
        .into_iter()
        .filter(is_needed)
        .filter(|name| !is_valid(name))
        .collect()
}

/// The indexes that are missing or invalid.
pub(in crate::store) async fn faults(
    connection: &mut PgConnection,
    has_trigrams: bool,
) -> sqlx::Result<Vec<&'static str>> {
    let valid: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM unnest($1::text[]) AS name
         JOIN pg_index ON indexrelid = to_regclass(quote_ident(name))
         WHERE indisvalid",
    )
    .bind(names())
    .persistent(false)
    .fetch_all(connection)
    .await?;
    Ok(faults_in(&valid, has_trigrams))
}

/// The statements that create the indexes, for a script that runs in a transaction, where none is built concurrently.
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
        "\n-- Without the extension pg_trgm a search reads the whole table.\n\
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
        // Without the extension a search reads the whole table, which is slower but correct.
        return Ok(());
    };
    let columns = search_index(&quoted(&schema));
    ensure(connection, SEARCH_INDEX, "INDEX", &columns, end).await
}

/// The pending list is short, because each search reads all of it.
fn search_index(trigrams: &str) -> String {
    format!(
        r#""ApiKey" USING gin ({SEARCHED} {trigrams}.gin_trgm_ops) WITH (gin_pending_list_limit = 256)"#
    )
}

/// Builds the index unless it exists. An interrupted build leaves an invalid index, which is dropped and built again.
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

/// The schema of `pg_trgm`. The extension is created if possible.
async fn trigram_schema(connection: &mut PgConnection) -> Option<String> {
    // This fails if the role lacks the privilege or the server does not ship the extension. It may be installed all
    // the same.
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
