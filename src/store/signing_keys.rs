//! Signing keys: the one stored in the database, and the fingerprints of all that have signed.

use zeroize::Zeroizing;

use super::connection::Session;
use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;
use crate::model::Timestamp;

impl Store {
    /// The signing key stored in the database. `made` is stored if there is none yet, so that every process gets the
    /// same one, whichever process was first.
    pub async fn kept_signing_key(
        &self,
        made: &[u8],
        fingerprint: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.retryable("kept_signing_key", || async {
            let mut db = self.db().await?;
            // Read first: a process may start while the database is read-only.
            let mut kept = kept_key(&mut db).await?;
            if kept.is_none() {
                sqlx::query!(
                    "INSERT INTO sophra_api_keys.signing_keys (fingerprint, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                    fingerprint,
                    made,
                )
                .execute(&mut db)
                .await?;
                kept = kept_key(&mut db).await?;
            }
            db.commit().await?;
            kept.map(Zeroizing::new)
                .ok_or(StoreError::Unexpected("no signing key"))
        })
        .await
    }

    /// Fingerprints of the signing keys that are stored in the database.
    pub async fn kept_signing_keys(&self) -> Result<Vec<String>, Error> {
        self.retryable("kept_signing_keys", || async {
            sqlx::query_scalar!(
                "SELECT fingerprint FROM sophra_api_keys.signing_keys WHERE key IS NOT NULL"
            )
            .fetch_all(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// Those of the fingerprints whose signing keys the database holds, or ever held.
    pub async fn exposed_signing_keys(
        &self,
        fingerprints: &[String],
    ) -> Result<Vec<String>, Error> {
        self.retryable("exposed_signing_keys", || async {
            sqlx::query_scalar!(
                r#"
                SELECT fingerprint AS "fingerprint!" FROM sophra_api_keys.exposed_signing_keys
                WHERE fingerprint = ANY($1)
                UNION
                SELECT sophra_api_keys.signing_key_fingerprint(key) FROM sophra_api_keys.signing_keys
                WHERE key IS NOT NULL AND sophra_api_keys.signing_key_fingerprint(key) = ANY($1)
                "#,
                fingerprints,
            )
            .fetch_all(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// Records that the key with this fingerprint signs.
    pub async fn remember_signing_key(&self, fingerprint: &str) -> Result<(), Error> {
        self.retryable("remember_signing_key", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                "INSERT INTO sophra_api_keys.signing_keys (fingerprint) VALUES ($1) ON CONFLICT DO NOTHING",
                fingerprint,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }

    /// Fingerprints outside of `held` of keys that were changed by this transaction or later ones.
    pub async fn signing_keys_of_changes(
        &self,
        held: &[String],
        since: i64,
    ) -> Result<Vec<String>, Error> {
        /// The most changes that are looked at, so that a flood of them takes no longer.
        const LOOKED_AT: i64 = 10_000;
        self.retryable("signing_keys_of_changes", || async {
            sqlx::query_scalar!(
                r#"
                SELECT DISTINCT fingerprint AS "fingerprint!"
                FROM (
                    SELECT key_id FROM sophra_api_keys.changes
                    WHERE xid >= $2::bigint::text::xid8
                    LIMIT $3
                  ) AS changed
                  JOIN "ApiKey" ON "id" = key_id,
                  unnest(ARRAY["signingKey", "previousSigningKey"]) AS fingerprint
                WHERE fingerprint <> ALL($1)
                LIMIT 100
                "#,
                held,
                since,
                LOOKED_AT,
            )
            .fetch_all(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    /// Fingerprints outside of `held` that usable API keys need.
    pub async fn missing_signing_keys(
        &self,
        held: &[String],
        now: Timestamp,
    ) -> Result<Vec<String>, Error> {
        self.retryable("missing_signing_keys", || async {
            let mut db = self.db().await?;
            sqlx::query_scalar!(
                r#"
                SELECT fingerprint
                FROM sophra_api_keys.signing_keys AS signing
                WHERE fingerprint <> ALL($1)
                  AND EXISTS (
                    SELECT 1 FROM "ApiKey"
                    WHERE "isActive"
                      AND ("expiresAt" IS NULL OR "expiresAt" > $2)
                      AND (
                        "signingKey" = signing.fingerprint
                        OR ("previousSigningKey" = signing.fingerprint AND "previousKeyExpiresAt" > $2)
                      )
                  )
                ORDER BY fingerprint
                "#,
                held,
                now as _,
            )
            .fetch_all(&mut db)
            .await
            .map_err(StoreError::from)
        })
        .await
    }
}

async fn kept_key(db: &mut Session) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        r#"SELECT key AS "key!" FROM sophra_api_keys.signing_keys WHERE key IS NOT NULL"#
    )
    .fetch_optional(db)
    .await
}
