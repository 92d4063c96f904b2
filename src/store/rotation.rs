//! The credential in the row of a key, and its replacement.

use super::connection::Session;
use crate::model::{Actor, CredentialDigest, StoredHash, Timestamp};

/// The credential columns of a new or regenerated key.
#[derive(Debug, Clone)]
pub struct Credential {
    pub hash: StoredHash,
    pub lookup: String,
    pub start: String,
    /// Fingerprint of the signing key that made the tag.
    pub signing_key: String,
    /// `None` if this process makes none.
    pub cold_digest: Option<Vec<u8>>,
}

/// A new key that replaces the current one, which stays valid until `grace_ends_at`.
#[derive(Debug, Clone)]
pub struct Rotation {
    pub credential: Credential,
    pub grace_ends_at: Option<Timestamp>,
    pub at: Timestamp,
    /// For a current key stored in plaintext: during the grace period only this hash is kept.
    pub replaced: Option<ReplacedPlaintext>,
}

#[derive(Debug, Clone)]
pub struct ReplacedPlaintext {
    pub digest: CredentialDigest,
    pub hash: StoredHash,
    pub cold_digest: Option<Vec<u8>>,
}

/// Makes the current key the previous one if it has a grace period, and drops the one before in any case. Returns until
/// when the previous key is valid. A plaintext other than the one that was hashed is dropped.
pub(super) async fn replace_credential(
    db: &mut Session,
    id: &str,
    rotation: &Rotation,
    actor: Option<&Actor>,
) -> sqlx::Result<Option<Timestamp>> {
    let Rotation {
        credential,
        grace_ends_at,
        at,
        replaced,
    } = rotation;
    let replaced = replaced.as_ref();
    sqlx::query_scalar!(
        r#"
        UPDATE "ApiKey" AS key SET
          "previousKey" = CASE WHEN previous.lookup IS NOT NULL THEN previous.hash END,
          "previousLookup" = previous.lookup,
          "previousSigningKey" = CASE WHEN previous.lookup IS NOT NULL THEN "signingKey" END,
          "previousColdDigest" = CASE WHEN previous.lookup IS NOT NULL THEN previous.digest END,
          "previousKeyExpiresAt" = CASE WHEN previous.lookup IS NOT NULL THEN $2::timestamp END,
          "previousKeyLastUsedAt" = NULL,
          "currentKeyFirstUsedAt" = NULL,
          "rotatedAt" = $13::timestamp,
          "key" = $3,
          "lookup" = $4,
          "start" = $5,
          "signingKey" = $6,
          "coldDigest" = $10
        FROM (
          SELECT
            CASE WHEN "lookup" IS NULL THEN $7 ELSE "key" END AS hash,
            CASE WHEN "lookup" IS NULL THEN $11 ELSE "coldDigest" END AS digest,
            CASE
              WHEN $2::timestamp IS NULL THEN NULL
              WHEN "lookup" IS NOT NULL AND ("key" LIKE '$argon2id$%' OR "key" LIKE '$import$%') THEN "lookup"
              WHEN sophra_api_keys.plaintext_digest("key") = $9 THEN $8
            END AS lookup
          FROM "ApiKey" WHERE "id" = $1
        ) AS previous
        WHERE key."id" = $1 AND sophra_api_keys.told($12)
        RETURNING key."previousKeyExpiresAt" AS "until: Timestamp"
        "#,
        id,
        grace_ends_at as _,
        credential.hash.as_str(),
        credential.lookup,
        credential.start,
        credential.signing_key,
        replaced.map(|replaced| replaced.hash.as_str()),
        replaced.map(|replaced| replaced.digest.lookup()),
        replaced.map(|replaced| replaced.digest.bytes()),
        credential.cold_digest.as_deref(),
        replaced.and_then(|replaced| replaced.cold_digest.as_deref()),
        actor.map(Actor::as_str),
        at as _,
    )
    .fetch_one(db)
    .await
}
