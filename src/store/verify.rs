//! The statements of a verify.

use std::sync::atomic::Ordering;

use super::connection::Share;
use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;
use crate::model::{
    AllowList, CredentialDigest, FleetTotal, KeyPolicy, Metadata, StoredHash, Timestamp,
};

/// A row that the presented key may belong to. Comparing the key with the stored hash decides whether it does.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub policy: KeyPolicy,
    pub stored: StoredKey,
    /// The cold digest of the current or the previous key, if one was stored.
    pub cold_digest: Option<Vec<u8>>,
    /// What all processes have used of its limit, if any of it is not available again yet.
    pub fleet: Option<FleetTotal>,
    /// Nanoseconds since the row was changed, as far as its writer said so.
    pub changed_ago_ns: i64,
}

/// The stored form of a key.
#[derive(Debug, Clone)]
pub enum StoredKey {
    Hash(StoredHash),
    /// The digest of the plaintext that a legacy row holds. The plaintext itself does not leave the database.
    Plaintext(CredentialDigest),
}

struct CandidateRow {
    is_found: bool,
    id: String,
    name: String,
    client_id: String,
    is_active: bool,
    expires_at: Option<Timestamp>,
    allowed_ips: Vec<String>,
    rate_limit: Option<i32>,
    rate_limit_window_seconds: Option<i32>,
    reset_generation: i32,
    scopes: Vec<String>,
    metadata: Option<Metadata>,
    suspended_until: Option<Timestamp>,
    grace_ends_at: Option<Timestamp>,
    plaintext_digest: Option<Vec<u8>>,
    hash: String,
    cold_digest: Option<Vec<u8>>,
    changed_ago_ns: i64,
    fleet_generation: i32,
    fleet_total: i64,
    fleet_debt_ns: i64,
    fleet_interval_ns: i64,
}

impl Store {
    /// The row whose current or previous key has this lookup, or whose plaintext has this digest.
    ///
    /// What other processes have used of its limit is read along with it, so that a process begins where they are.
    ///
    /// If there is none, the server returns a dummy row of the same size, which is read like any other, so that timing does
    /// not reveal which lookups exist.
    pub async fn find_candidate(
        &self,
        lookup: &str,
        digest: Option<&CredentialDigest>,
        share: Share,
    ) -> Result<Option<Candidate>, Error> {
        let digest = digest.map(CredentialDigest::bytes);
        self.selects.fetch_add(1, Ordering::Relaxed);
        let row = self
            .retryable_when_admitted(share, "find_candidate", || async {
                sqlx::query_as!(
                    CandidateRow,
                    r#"
                    SELECT
                      "id" IS NOT NULL AS "is_found!",
                      coalesce("id", '00000000-0000-4000-8000-000000000000') AS "id!",
                      coalesce("name", '') AS "name!",
                      coalesce("clientId", '') AS "client_id!",
                      coalesce("isActive", false) AS "is_active!",
                      "expiresAt" AS "expires_at: Timestamp",
                      array_replace(coalesce("allowedIps", '{}'), NULL, '') AS "allowed_ips!",
                      "rateLimit" AS "rate_limit",
                      "rateLimitWindowSeconds" AS "rate_limit_window_seconds",
                      coalesce("limiterEpoch", 0) AS "reset_generation!",
                      coalesce("scopes", '{}') AS "scopes!",
                      "metadata" AS "metadata: Metadata",
                      "suspendedUntil" AS "suspended_until: Timestamp",
                      CASE WHEN "lookup" = $1 OR "lookup" IS NULL THEN NULL
                        ELSE coalesce("previousKeyExpiresAt", '-infinity') END
                        AS "grace_ends_at: Timestamp",
                      CASE WHEN "id" IS NOT NULL AND "lookup" IS NULL
                        THEN sophra_api_keys.plaintext_digest("key") END
                        AS "plaintext_digest",
                      CASE WHEN "id" IS NULL THEN repeat('0', 96) WHEN "lookup" = $1 THEN "key"
                        ELSE coalesce("previousKey", '') END AS "hash!",
                      CASE WHEN "id" IS NULL THEN decode(repeat('00', 48), 'hex') WHEN "lookup" = $1 THEN "coldDigest"
                        ELSE "previousColdDigest" END AS "cold_digest",
                      sophra_api_keys.nanoseconds_since(coalesce("updatedAt", '-infinity')) AS "changed_ago_ns!",
                      coalesce(fleet.epoch, 0) AS "fleet_generation!",
                      coalesce(fleet.spent, 0) AS "fleet_total!",
                      coalesce(sophra_api_keys.nanoseconds_until(fleet.full_at), 0) AS "fleet_debt_ns!",
                      coalesce(fleet.interval_ns, 1) AS "fleet_interval_ns!"
                    FROM (SELECT) AS asked LEFT JOIN LATERAL (
                      SELECT * FROM "ApiKey"
                      WHERE "lookup" = $1
                        OR "previousLookup" = $1
                        OR ("lookup" IS NULL AND sophra_api_keys.plaintext_digest("key") = $2)
                      -- A replaced key must not hide another row that holds the same key.
                      ORDER BY CASE WHEN "lookup" = $1 THEN 0 WHEN "lookup" IS NULL THEN 1 ELSE 2 END
                      LIMIT 1
                    ) AS found ON true
                    LEFT JOIN sophra_api_keys.spent AS fleet
                      ON fleet.key_id = coalesce("id", '00000000-0000-4000-8000-000000000000')
                    "#,
                    lookup,
                    digest,
                )
                .fetch_one(&mut self.db().await?)
                .await
                .map_err(StoreError::from)
            })
            .await?;
        let is_found = row.is_found;
        let candidate = Candidate::try_from(row)?;
        Ok(is_found.then_some(candidate))
    }

    /// Replaces the hash of a key that has just been verified by one with the configured parameters, and its cold digest if
    /// there is a new one, unless the key has changed since or another session has locked the row.
    pub async fn replace_hash(
        &self,
        id: &str,
        proved: &StoredHash,
        hash: &StoredHash,
        digest: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.retryable("replace_hash", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                r#"
                UPDATE "ApiKey" SET "key" = $3, "coldDigest" = coalesce($4, "coldDigest")
                WHERE "id" = (
                  SELECT "id" FROM "ApiKey" WHERE "id" = $1 AND "key" = $2 FOR UPDATE SKIP LOCKED
                )
                "#,
                id,
                proved.as_str(),
                hash.as_str(),
                digest,
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }

    /// Stores the cold digest of a key that has just been verified, or of the previous key of its row. Returns whether it
    /// was stored: not if it is there already, the key has changed since, or another session has locked the row.
    pub async fn keep_cold_digest(
        &self,
        id: &str,
        proved: &StoredHash,
        digest: &[u8],
    ) -> Result<bool, Error> {
        self.retryable("keep_cold_digest", || async {
            let mut db = self.db().await?;
            let done = sqlx::query!(
                r#"
                UPDATE "ApiKey" SET
                  "coldDigest" = CASE WHEN "key" = $2 THEN $3 ELSE "coldDigest" END,
                  "previousColdDigest" = CASE WHEN "previousKey" = $2 THEN $3 ELSE "previousColdDigest" END
                WHERE "id" = (
                  SELECT "id" FROM "ApiKey"
                  WHERE "id" = $1
                    AND (
                      "key" = $2 AND "coldDigest" IS DISTINCT FROM $3
                      OR "previousKey" = $2 AND "previousColdDigest" IS DISTINCT FROM $3
                    )
                  FOR NO KEY UPDATE SKIP LOCKED
                )
                "#,
                id,
                proved.as_str(),
                digest,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

impl TryFrom<CandidateRow> for Candidate {
    type Error = Error;

    fn try_from(row: CandidateRow) -> Result<Self, Error> {
        let stored = match row.plaintext_digest {
            None => StoredKey::Hash(StoredHash::new(row.hash)),
            Some(digest) => StoredKey::Plaintext(CredentialDigest::from_bytes(
                digest
                    .try_into()
                    .map_err(|_| Error::internal("A stored digest has the wrong length"))?,
            )),
        };
        let fleet = (row.fleet_debt_ns > 0).then(|| FleetTotal {
            key_id: row.id.clone(),
            generation: row.fleet_generation,
            total: row.fleet_total,
            debt_ns: row.fleet_debt_ns,
            interval_ns: row.fleet_interval_ns,
        });
        Ok(Self {
            policy: KeyPolicy {
                key_id: row.id.into(),
                name: row.name.into(),
                client_id: row.client_id.into(),
                is_active: row.is_active,
                expires_at: row.expires_at,
                suspended_until: row.suspended_until,
                grace_ends_at: row.grace_ends_at,
                allow_list: AllowList::parse(&row.allowed_ips),
                scopes: row.scopes.into_iter().map(String::into_boxed_str).collect(),
                metadata: row.metadata.map(Box::new),
                rate_limit: row.rate_limit,
                rate_limit_window_seconds: row.rate_limit_window_seconds,
                reset_generation: row.reset_generation,
            },
            stored,
            cold_digest: row.cold_digest,
            fleet,
            changed_ago_ns: row.changed_ago_ns,
        })
    }
}
