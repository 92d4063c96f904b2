//! The rows of presented keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::types::Json;

use super::client_rows::{ClientLevel, ClientRows, client_levels, readable};
use super::connection::Session;
use super::connection::error::StoreError;
use super::fleet::{FleetRow, FleetRows, FleetStart, unavailable};
use super::role_rows::{RoleRow, RoleRows};
use crate::error::Error;
use crate::model::{
    AllowList, ClientPolicy, CredentialDigest, DEFAULT_LIMIT, EffectiveScopes, HeldScopes,
    Idleness, KeyClass, KeyPolicy, LimitId, Limits, Metadata, Origins, Quotas, StoredHash,
    Timestamp,
};

/// A row that the presented key may belong to. Comparing the key with the stored hash decides whether it does.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub policy: KeyPolicy,
    pub stored: StoredKey,
    /// The cold digest of the current or the previous key, if one was stored.
    pub cold_digest: Option<Vec<u8>>,
    /// Stands for the current key of the row, see [`CredentialUse`](crate::model::CredentialUse).
    pub key_number: i64,
    pub idleness: Idleness,
    pub roles: Vec<RoleRow>,
    /// Its client and those above it, the client first. Empty if the client has no row.
    pub clients: Vec<ClientLevel>,
    /// What all processes have used of its limits, as far as any of it is not available again yet.
    pub fleet: Vec<FleetStart>,
}

impl Candidate {
    /// Takes the policies of its client and those above it. What all processes have used of their limits is then with what they
    /// have used of its own.
    pub fn take_client_policies(&mut self) -> Vec<ClientPolicy> {
        let (policies, fleet) = ClientLevel::split(std::mem::take(&mut self.clients));
        self.fleet.extend(fleet);
        policies
    }
}

/// What the row of a presented key is found by.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) lookup: Box<str>,
    /// The digest of a key whose row may hold plaintext.
    pub(super) digest: Option<CredentialDigest>,
}

impl Wanted {
    /// The row of an issued key, which never holds plaintext.
    pub(super) fn issued(lookup: &str) -> Self {
        Self {
            lookup: lookup.into(),
            digest: None,
        }
    }
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
    /// `None` if it is not revoked.
    is_compromised: Option<bool>,
    is_active: bool,
    expires_at: Option<Timestamp>,
    allowed_ips: Vec<String>,
    rate_limit: Option<i32>,
    rate_limit_window_seconds: Option<i32>,
    reset_generation: i32,
    origins: Option<Vec<String>>,
    scopes: Vec<String>,
    roles: Option<RoleRows>,
    metadata: Option<Metadata>,
    suspended_until: Option<Timestamp>,
    grace_ends_at: Option<Timestamp>,
    plaintext_digest: Option<Vec<u8>>,
    hash: String,
    cold_digest: Option<Vec<u8>>,
    changed_ago_ns: i64,
    key_number: i64,
    max_idle_days: Option<i32>,
    unused_ms: i64,
    limits: Limits,
    quotas: Quotas,
    clients: Option<ClientRows>,
    further_fleet: Option<FleetRows>,
    fleet_generation: i32,
    fleet_total: i64,
    fleet_debt_ns: i64,
    fleet_interval_ns: i64,
}

/// The rows of presented keys, in the order of the lookups.
///
/// What other processes have used of a limit is read along with it, so that a process begins where they are.
///
/// Where there is no row, the server returns a dummy row of the same size, which is read like any other, so that timing
/// does not reveal which lookups exist.
pub(super) async fn find_candidates(
    session: &mut Session,
    wanted: &[&Wanted],
) -> Result<Vec<Result<Option<Candidate>, Error>>, StoreError> {
    let lookups: Vec<String> = wanted
        .iter()
        .map(|wanted| wanted.lookup.to_string())
        .collect();
    let digests: Vec<Option<Vec<u8>>> = wanted
        .iter()
        .map(|wanted| wanted.digest.map(|digest| digest.bytes().to_vec()))
        .collect();
    let rows = sqlx::query_as!(
        CandidateRow,
        r#"
        SELECT
          "id" IS NOT NULL AS "is_found!",
          coalesce("id", '00000000-0000-4000-8000-000000000000') AS "id!",
          coalesce("name", '') AS "name!",
          coalesce("clientId", '') AS "client_id!",
          CASE WHEN "revokedAt" IS NOT NULL THEN coalesce("revokedReason", '') = 'compromised' END AS "is_compromised",
          coalesce("isActive", false) AS "is_active!",
          "expiresAt" AS "expires_at: Timestamp",
          -- Other writers may put lists into lists, nothing into a list, and number its items from any number.
          CASE WHEN array_ndims("allowedIps") > 1 OR array_lower("allowedIps", 1) <> 1
            THEN ARRAY(SELECT coalesce(address, '') FROM unnest("allowedIps") AS address)
            ELSE array_replace(coalesce("allowedIps", '{}'), NULL, '') END AS "allowed_ips!",
          "rateLimit" AS "rate_limit",
          "rateLimitWindowSeconds" AS "rate_limit_window_seconds",
          coalesce("limiterEpoch", 0) AS "reset_generation!",
          CASE WHEN array_ndims("scopes") > 1 OR array_lower("scopes", 1) <> 1
            THEN ARRAY(SELECT scope FROM unnest("scopes") AS scope WHERE scope IS NOT NULL)
            ELSE array_remove(coalesce("scopes", '{}'), NULL) END AS "scopes!",
          CASE WHEN "origins" IS NOT NULL THEN ARRAY(SELECT coalesce(origin, '') FROM unnest("origins") AS origin) END
            AS "origins",
          CASE WHEN "roles" <> '{}' THEN sophra_api_keys.role_scopes("roles") END AS "roles: RoleRows",
          "metadata" AS "metadata: Metadata",
          "suspendedUntil" AS "suspended_until: Timestamp",
          CASE WHEN found."lookup" = wanted.lookup OR found."lookup" IS NULL THEN NULL
            ELSE coalesce("previousKeyExpiresAt", '-infinity') END
            AS "grace_ends_at: Timestamp",
          CASE WHEN "id" IS NOT NULL AND found."lookup" IS NULL
            THEN sophra_api_keys.plaintext_digest("key") END
            AS "plaintext_digest",
          CASE WHEN "id" IS NULL THEN repeat('0', 96) WHEN found."lookup" = wanted.lookup THEN "key"
            ELSE coalesce("previousKey", '') END AS "hash!",
          CASE WHEN "id" IS NULL THEN decode(repeat('00', 48), 'hex') WHEN found."lookup" = wanted.lookup THEN "coldDigest"
            ELSE "previousColdDigest" END AS "cold_digest",
          sophra_api_keys.nanoseconds_since(coalesce("updatedAt", '-infinity')) AS "changed_ago_ns!",
          coalesce(sophra_api_keys.key_number(found."lookup", "key"), 0) AS "key_number!",
          "maxIdleDays" AS "max_idle_days",
          coalesce(sophra_api_keys.unused_ms("lastUsedAt", "createdAt", "rotatedAt"), 0) AS "unused_ms!",
          coalesce("limits", '[]') AS "limits!: Limits",
          coalesce("quotas", '[]') AS "quotas!: Quotas",
          CASE WHEN "limits" IS NOT NULL
            THEN sophra_api_keys.fleet_totals('key/' || "id" || '/', "limits") END
            AS "further_fleet: FleetRows",
          -- Most clients have no row, and looking for it takes a fraction of the call. With an offset, the whole table is never
          -- read for that.
          CASE WHEN EXISTS (SELECT FROM sophra_api_keys.clients WHERE client_id = coalesce("clientId", '') OFFSET 0)
            THEN sophra_api_keys.client_levels("clientId") END
            AS "clients: ClientRows",
          coalesce(fleet.epoch, 0) AS "fleet_generation!",
          coalesce(fleet.spent, 0) AS "fleet_total!",
          coalesce(sophra_api_keys.nanoseconds_until(fleet.full_at), 0) AS "fleet_debt_ns!",
          coalesce(fleet.interval_ns, 1) AS "fleet_interval_ns!"
        FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS wanted (lookup, digest, position)
        LEFT JOIN LATERAL (
          SELECT * FROM "ApiKey" AS key
          WHERE key."lookup" = wanted.lookup
            OR key."previousLookup" = wanted.lookup
            OR (key."lookup" IS NULL AND sophra_api_keys.plaintext_digest(key."key") = wanted.digest)
          -- A replaced key must not hide another row that holds the same key.
          ORDER BY CASE WHEN key."lookup" = wanted.lookup THEN 0 WHEN key."lookup" IS NULL THEN 1 ELSE 2 END
          LIMIT 1
        ) AS found ON true
        -- With a limit, the whole table is never read for a few rows of it.
        LEFT JOIN LATERAL (
          SELECT * FROM sophra_api_keys.spent
          WHERE limit_id = 'key/' || coalesce("id", '00000000-0000-4000-8000-000000000000') || '/default'
          LIMIT 1
        ) AS fleet ON true
        ORDER BY wanted.position
        "#,
        &lookups,
        &digests as _,
    )
    .fetch_all(session)
    .await?;
    if rows.len() != wanted.len() {
        return Err(StoreError::Unexpected("another number of rows than keys"));
    }
    let found = |row: CandidateRow| {
        let is_found = row.is_found;
        let candidate = Candidate::try_from(row)?;
        Ok(is_found.then_some(candidate))
    };
    Ok(rows.into_iter().map(found).collect())
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
        let mut fleet = row.further_fleet.map_or_else(Vec::new, |Json(rows)| rows);
        fleet.push(FleetRow {
            limit_id: LimitId::of_key(&row.id, DEFAULT_LIMIT).to_string(),
            generation: row.fleet_generation,
            total: row.fleet_total,
            debt_ns: row.fleet_debt_ns,
            interval_ns: row.fleet_interval_ns,
        });
        Ok(Self {
            policy: KeyPolicy {
                key_id: row.id.into(),
                // What the presented key says of itself counts.
                class: KeyClass::default(),
                kind: Arc::default(),
                name: row.name.into(),
                client_id: row.client_id.into(),
                is_revoked: row.is_compromised.is_some(),
                is_compromised: row.is_compromised == Some(true),
                is_active: row.is_active,
                expires_at: row.expires_at,
                suspended_until: row.suspended_until,
                grace_ends_at: row.grace_ends_at,
                allow_list: AllowList::parse(&row.allowed_ips),
                origins: Origins::of(row.origins),
                scopes: EffectiveScopes::of_key(HeldScopes::new(row.scopes)),
                metadata: row.metadata.map(Box::new),
                rate_limit: row.rate_limit,
                rate_limit_window_seconds: row.rate_limit_window_seconds,
                limits: readable(row.limits.of_key())?,
                quotas: readable(row.quotas)?,
                reset_generation: row.reset_generation,
            },
            stored,
            cold_digest: row.cold_digest,
            key_number: row.key_number,
            idleness: Idleness {
                max_days: row.max_idle_days,
                unused: Duration::from_millis(u64::try_from(row.unused_ms).unwrap_or(0)),
                read_at: Instant::now(),
            },
            roles: row.roles.map_or_else(Vec::new, |Json(roles)| roles),
            clients: client_levels(row.clients)?,
            fleet: unavailable(Some(fleet), row.changed_ago_ns),
        })
    }
}
