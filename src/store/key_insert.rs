//! The rows of new keys.

use sqlx::Postgres;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use tokio::time::timeout;

use super::connection::error::StoreError;
use super::connection::{Session, Share};
use super::handle::Store;
use super::idempotency::{UsedIdempotencyKey, used_idempotency_key};
use super::keys::{require_roles, require_room, write_settings};
use super::rotation::Credential;
use crate::error::Error;
use crate::model::{ApiKey, IdempotencyKey, StoredHash, Timestamp};

impl Store {
    /// Inserts a row, unless the idempotency key was used within a day for another one, which is returned then, or the client
    /// has as many keys as it may have, by its row or by the call, or there is no such role. Safe to retry: the id was generated before, so a second insert of the same row
    /// changes nothing.
    pub async fn insert_key(
        &self,
        key: &ApiKey,
        credential: &Credential,
        idempotency: Option<&IdempotencyKey>,
        max_keys: Option<i32>,
    ) -> Result<Option<UsedIdempotencyKey>, Error> {
        self.retryable_when_admitted(Share::Manage, "insert_key", || async {
            let mut db = self.db().await?;
            let done = insert(key, credential, idempotency, max_keys)
                .execute(&mut db)
                .await?;
            let used = if done.rows_affected() == 0 {
                not_inserted(&mut db, key, idempotency, max_keys).await?
            } else {
                None
            };
            db.commit().await?;
            // An earlier try has inserted the row.
            Ok(used.filter(|used| used.key_id != key.id))
        })
        .await
    }

    /// Has a connection of the pool run the statement of [`insert_key`](Self::insert_key) for a client that may have no keys: the
    /// server then has planned it, and loaded what it takes for it. Gives up soon: a lock on the table must not keep the
    /// connection from others.
    pub(super) async fn insert_nothing(&self) -> Result<(), StoreError> {
        let key = ApiKey::new(String::new(), Timestamp::from_millis(0));
        let credential = Credential {
            hash: StoredHash::new(String::new()),
            lookup: String::new(),
            start: String::new(),
            signing_key: String::new(),
            cold_digest: None,
        };
        let connection = self.pool.acquire().await?;
        if self.pooled.is_some() {
            // The next statement may reach another session of the server.
            return Ok(());
        }
        let mut db = Session::on_connection(connection, true);
        let inserted = insert(&key, &credential, None, Some(0)).execute(&mut db);
        match timeout(self.deadline / 4, inserted).await {
            Ok(inserted) => inserted.map(drop).map_err(StoreError::from),
            Err(_) => {
                db.abandon();
                Ok(())
            }
        }
    }
}

fn insert<'q>(
    key: &'q ApiKey,
    credential: &'q Credential,
    idempotency: Option<&'q IdempotencyKey>,
    max_keys: Option<i32>,
) -> Query<'q, Postgres, PgArguments> {
    write_settings!(
        r#"
        WITH room AS MATERIALIZED (
          SELECT sophra_api_keys.client_has_room_within($3, $27::integer) AS is_free, sophra_api_keys.told($23) AS is_told,
            sophra_api_keys.missing_role($17) IS NULL AS has_roles
        ),
        claimed AS (
          INSERT INTO sophra_api_keys.idempotency_keys AS used (digest, input, key_id)
          SELECT $25::bytea, $26::bytea, $1 FROM room WHERE is_free AND has_roles AND $25 IS NOT NULL
          ON CONFLICT (digest) DO UPDATE
          SET input = excluded.input, key_id = excluded.key_id, used_at = now()
          WHERE used.key_id = excluded.key_id OR used.used_at < now() - INTERVAL '1 day'
          RETURNING key_id
        )
        INSERT INTO "ApiKey" (
        "#,
        r#"
        , "id", "createdAt", "usageCount", "key", "lookup", "start", "signingKey", "createdBy", "coldDigest"
        ) SELECT "#,
        r#"
        , $1::text, $18::timestamp, 0, $19::text, $20::text, $21::text, $22::text, $23::text, $24::bytea
        FROM room
        WHERE is_free AND is_told AND has_roles AND ($25 IS NULL OR EXISTS (SELECT FROM claimed))
        ON CONFLICT ("id") DO NOTHING
        "#,
        key,
        key.created_at as _,
        credential.hash.as_str(),
        credential.lookup,
        credential.start,
        credential.signing_key,
        key.created_by,
        credential.cold_digest.as_deref(),
        idempotency.map(|key| &key.digest[..]),
        idempotency.map(|key| &key.input[..]),
        max_keys,
    )
}

/// Why the row was not inserted: the use of the idempotency key, or the row of an earlier try, too many keys of the client, or a role that
/// there is not.
async fn not_inserted(
    db: &mut Session,
    key: &ApiKey,
    idempotency: Option<&IdempotencyKey>,
    max_keys: Option<i32>,
) -> Result<Option<UsedIdempotencyKey>, StoreError> {
    if let Some(idempotency) = idempotency
        && let Some(used) = used_idempotency_key(db, idempotency).await?
    {
        return Ok(Some(used));
    }
    if is_key(db, &key.id).await? {
        return Ok(None);
    }
    require_room(db, &key.client_id, max_keys).await?;
    require_roles(db, &key.roles).await?;
    // What stood in the way is gone a moment later.
    Err(StoreError::Superseded)
}

async fn is_key(db: &mut Session, id: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM "ApiKey" WHERE "id" = $1) AS "exists!""#,
        id
    )
    .fetch_one(db)
    .await
}
