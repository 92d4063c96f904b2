//! Which rows hold plaintext, and which hold a hash that nobody can find. The content of a row decides, so that a row is
//! counted whatever another writer has made of its other columns.

use sqlx::PgConnection;

use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;

/// Rows that hold plaintext.
#[derive(Debug, Clone, Copy)]
pub struct PlaintextRows {
    pub keys: i64,
    pub tokens: i64,
}

/// A key whose row holds a hash without its lookup.
#[derive(Debug, Clone)]
pub struct LostKey {
    pub id: String,
    pub name: String,
    pub client_id: String,
}

/// Counts the rows that hold plaintext. A text that only begins like a hash is plaintext too, unless it has a lookup.
pub(in crate::store) async fn count_plaintext(
    connection: &mut PgConnection,
) -> sqlx::Result<PlaintextRows> {
    let (keys, tokens) = sqlx::query_as(
        r#"
        SELECT
          (
            SELECT count(*) FROM "ApiKey"
            WHERE "lookup" IS NULL
              AND "key" !~ '^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$'
              AND "key" NOT LIKE '$import$%'
          ) + (
            SELECT count(*) FROM "ApiKey" WHERE "lookup" IS NOT NULL AND "key" NOT LIKE '$argon2id$%' AND "key" NOT LIKE '$import$%'
          ),
          (SELECT count(*) FROM "AdminToken" WHERE "token" NOT LIKE 'sha256:%')
        "#,
    )
    .persistent(false)
    .fetch_one(connection)
    .await?;
    Ok(PlaintextRows { keys, tokens })
}

impl Store {
    pub async fn plaintext_rows(&self) -> Result<PlaintextRows, Error> {
        self.retryable("plaintext_rows", || async {
            Ok(count_plaintext(self.db().await?.connection()).await?)
        })
        .await
    }

    /// Whether a row can be imported. A credential whose hash is already stored in another row cannot, because a lookup is
    /// unique.
    pub async fn has_importable(&self) -> Result<bool, Error> {
        self.retryable("has_importable", || async {
            sqlx::query_scalar!(
                r#"
                SELECT EXISTS (
                  SELECT FROM "ApiKey" AS key
                  WHERE "lookup" IS NULL
                    AND "key" !~ '^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$'
                    AND "key" NOT LIKE '$import$%'
                    AND NOT EXISTS (
                      SELECT FROM "ApiKey" AS other
                      WHERE other."lookup"
                        = 'sha256:' || encode(sophra_api_keys.plaintext_digest(key."key"), 'hex')
                    )
                ) OR EXISTS (
                  SELECT FROM "AdminToken" AS token
                  WHERE "lookup" IS NULL
                    AND "token" NOT LIKE 'sha256:%'
                    AND NOT EXISTS (
                      SELECT FROM "AdminToken" AS other
                      WHERE other."lookup"
                        = 'sha256:' || encode(sophra_api_keys.plaintext_digest(token."token"), 'hex')
                    )
                ) AS "any!"
                "#
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// Takes the lookups away that stand beside plaintext; the trigger clears the other columns. Such rows were written while
    /// the trigger was off. Rows that another session has locked are left for later. Returns whether there were others.
    pub async fn clear_lookups_beside_plaintext(&self) -> Result<bool, Error> {
        self.retryable("clear_lookups_beside_plaintext", || async {
            let mut db = self.db().await?;
            let cleared = sqlx::query_scalar!(
                r#"
                -- Planned without the limit: otherwise the planner hopes to find as many soon, and reads the whole table.
                WITH found AS MATERIALIZED (
                  SELECT "id" FROM "ApiKey"
                  WHERE "lookup" IS NOT NULL AND "key" NOT LIKE '$argon2id$%' AND "key" NOT LIKE '$import$%'
                ),
                keys AS (
                  SELECT "id" FROM "ApiKey"
                  WHERE "id" IN (SELECT "id" FROM found LIMIT 1000)
                    AND "lookup" IS NOT NULL
                    AND "key" NOT LIKE '$argon2id$%' AND "key" NOT LIKE '$import$%'
                  FOR UPDATE SKIP LOCKED
                ),
                tokens AS (
                  SELECT "id" FROM "AdminToken"
                  WHERE "lookup" IS NOT NULL AND "token" NOT LIKE 'sha256:%'
                  LIMIT 1000
                  FOR UPDATE SKIP LOCKED
                ),
                cleared_keys AS (
                  UPDATE "ApiKey" AS key SET "lookup" = NULL FROM keys WHERE key."id" = keys."id"
                  RETURNING key."id"
                ),
                cleared_tokens AS (
                  UPDATE "AdminToken" AS token SET "lookup" = NULL FROM tokens WHERE token."id" = tokens."id"
                  RETURNING token."id"
                )
                SELECT EXISTS (SELECT FROM cleared_keys) OR EXISTS (SELECT FROM cleared_tokens) AS "any!"
                "#
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            Ok(cleared)
        })
        .await
    }

    /// The keys whose rows hold a hash without its lookup; some of them if there are very many.
    pub async fn lost_keys(&self) -> Result<Vec<LostKey>, Error> {
        self.retryable("lost_keys", || async {
            let query = sqlx::query!(
                r#"
                -- Planned without the limit, too.
                WITH lost AS MATERIALIZED (
                  SELECT
                    "id",
                    left(coalesce("name", ''), 300) AS name,
                    left(coalesce("clientId", ''), 300) AS client_id
                  FROM "ApiKey"
                  WHERE "lookup" IS NULL
                    AND ("key" LIKE '$argon2id$%' OR "key" LIKE '$import$%')
                    AND "key" ~ '^\$(import\$|argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}$)'
                )
                SELECT "id", name AS "name!", client_id AS "client_id!" FROM lost LIMIT 1000
                "#
            );
            let rows = self.db().await?.rows(query).await?;
            let key = |(id, name, client_id)| LostKey {
                id,
                name,
                client_id,
            };
            Ok(rows.into_iter().map(key).collect())
        })
        .await
    }
}
