//! What functions answer, as JSON for `index.js`. Their TypeScript and its documentation: `header.d.ts`.
//! Instants are milliseconds since the epoch; `index.js` makes them `Date`.

use std::net::IpAddr;
use std::time::Instant;

use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::adoption::Adopted;
use crate::error::Error;
use crate::input::page::Page;
use crate::limit::RateLimit as Limit;
use crate::model::{self, Grant, Refusal, Timestamp};
use crate::service::Service;
use crate::store::{AuditRow, Condition, Migrated, PlaintextToken};
use crate::token::Plaintext;
use crate::{admin, client_address, verify};

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.millis())
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiKey {
    id: String,
    name: String,
    client_id: String,
    description: Option<String>,
    is_active: bool,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_used_at: Option<Timestamp>,
    allowed_ips: Vec<String>,
    rate_limit: Option<i32>,
    rate_limit_window_seconds: Option<i32>,
    usage_count: i64,
    start: Option<String>,
    scopes: Vec<String>,
    metadata: Option<serde_json::Value>,
    suspended_until: Option<Timestamp>,
    previous_key_expires_at: Option<Timestamp>,
    /// The plaintext, in the answers of creation and regeneration alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Zeroizing<String>>,
}

impl ApiKey {
    pub(super) fn with_key(key: model::ApiKey, plaintext: Option<&Plaintext>) -> Self {
        let plaintext = plaintext.map(|plaintext| Zeroizing::new(plaintext.expose().to_owned()));
        Self {
            key: plaintext,
            ..Self::from(key)
        }
    }
}

impl From<model::ApiKey> for ApiKey {
    fn from(key: model::ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            client_id: key.client_id,
            description: key.description,
            is_active: key.is_active,
            expires_at: key.expires_at,
            created_at: key.created_at,
            updated_at: key.updated_at,
            last_used_at: key.last_used_at,
            allowed_ips: key.allowed_ips,
            rate_limit: key.rate_limit,
            rate_limit_window_seconds: key.rate_limit_window_seconds,
            usage_count: key.usage_count,
            start: key.start,
            scopes: key.scopes,
            metadata: key.metadata,
            suspended_until: key.suspended_until,
            previous_key_expires_at: key.previous_key_expires_at,
            key: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiKeyPage {
    keys: Vec<ApiKey>,
    next_cursor: Option<String>,
}

impl From<Page<model::ApiKey>> for ApiKeyPage {
    fn from(page: Page<model::ApiKey>) -> Self {
        Self {
            keys: page.rows.into_iter().map(ApiKey::from).collect(),
            next_cursor: page.next.map(|cursor| cursor.encode()),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum Verification {
    Valid {
        valid: bool,
        code: &'static str,
        #[serde(flatten)]
        template: Template,
        rate_limit: Option<RateLimit>,
    },
    Refused {
        valid: bool,
        #[serde(flatten)]
        reason: Reason,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rate_limit: Option<RateLimit>,
    },
}

impl Verification {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Valid { code, .. } => code,
            Self::Refused { reason, .. } => reason.code,
        }
    }
}

/// What a valid verification says of the key: the same at each verify until the key is changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Template {
    key_id: String,
    name: String,
    client_id: String,
    scopes: Vec<String>,
    metadata: Option<serde_json::Value>,
    expires_at: Option<Timestamp>,
}

impl From<&Grant> for Template {
    fn from(grant: &Grant) -> Self {
        Self {
            key_id: grant.key_id.to_string(),
            name: grant.name.to_string(),
            client_id: grant.client_id.to_string(),
            scopes: grant.scopes.iter().map(ToString::to_string).collect(),
            metadata: grant.metadata.as_deref().cloned(),
            expires_at: grant.expires_at,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Reason {
    code: &'static str,
    status: u16,
    message: &'static str,
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code(),
            status: refusal.status(),
            message: refusal.message(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RateLimit {
    limit: u32,
    remaining: u32,
    reset_ms: u64,
}

impl From<Limit> for RateLimit {
    fn from(limit: Limit) -> Self {
        Self {
            limit: limit.limit,
            remaining: limit.remaining,
            reset_ms: limit.reset_ms,
        }
    }
}

impl From<verify::Verification> for Verification {
    fn from(verification: verify::Verification) -> Self {
        match verification {
            verify::Verification::Valid { entry, rate_limit } => Self::Valid {
                valid: true,
                code: "VALID",
                template: Template::from(&entry.value.grant),
                rate_limit: rate_limit.map(RateLimit::from),
            },
            verify::Verification::Refused(refused) => Self::Refused {
                valid: false,
                reason: refused.refusal.into(),
                key_id: refused
                    .entry
                    .map(|entry| entry.value.grant.key_id.to_string()),
                retry_after_ms: refused.retry_after_ms,
                rate_limit: refused.rate_limit.map(RateLimit::from),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdminToken {
    id: String,
    name: String,
    description: Option<String>,
    is_active: bool,
    permissions: Vec<String>,
    expires_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    last_used_at: Option<Timestamp>,
    /// The token itself, in the answer of its creation alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Zeroizing<String>>,
}

impl AdminToken {
    pub(super) fn with_token(row: admin::AdminToken, token: Zeroizing<String>) -> Self {
        Self {
            token: Some(token),
            ..Self::from(row)
        }
    }
}

impl From<admin::AdminToken> for AdminToken {
    fn from(row: admin::AdminToken) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            is_active: row.is_active,
            permissions: row.permissions,
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_used_at: row.last_used_at,
            token: None,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(super) enum AdminVerification {
    Valid {
        valid: bool,
        code: &'static str,
        token_id: String,
        name: String,
        permissions: Vec<String>,
    },
    Refused {
        valid: bool,
        code: &'static str,
        status: u16,
        message: &'static str,
    },
}

impl AdminVerification {
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Valid { code, .. } | Self::Refused { code, .. } => code,
        }
    }
}

impl From<admin::AdminVerification> for AdminVerification {
    fn from(verification: admin::AdminVerification) -> Self {
        let refused = |code, status, message| Self::Refused {
            valid: false,
            code,
            status,
            message,
        };
        match verification {
            admin::AdminVerification::Valid(row) => Self::Valid {
                valid: true,
                code: "VALID",
                token_id: row.id,
                name: row.name,
                permissions: row.permissions,
            },
            admin::AdminVerification::InvalidToken => {
                refused("INVALID_TOKEN", 401, "Invalid admin token")
            }
            admin::AdminVerification::InsufficientPermission { .. } => refused(
                "INSUFFICIENT_PERMISSION",
                403,
                "Insufficient permissions for this endpoint",
            ),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MigrationReport {
    applied: Vec<String>,
    adopted: usize,
    remaining: i64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    all_permissions: Vec<NamedToken>,
}

#[derive(Serialize)]
struct NamedToken {
    id: String,
    name: String,
}

impl MigrationReport {
    pub(super) fn with_adopted(migrated: Migrated, adopted: Adopted, remaining: i64) -> Self {
        let named = |token: PlaintextToken| NamedToken {
            id: token.id,
            name: token.name,
        };
        Self {
            adopted: adopted.rows,
            all_permissions: adopted.all_permissions.into_iter().map(named).collect(),
            remaining,
            ..Self::from(migrated)
        }
    }
}

impl From<Migrated> for MigrationReport {
    fn from(migrated: Migrated) -> Self {
        Self {
            applied: migrated.applied,
            adopted: 0,
            remaining: migrated.remaining,
            all_permissions: Vec::new(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClientAddress {
    ip: Option<IpAddr>,
    claimed_ip: Option<IpAddr>,
}

impl From<client_address::ClientAddress> for ClientAddress {
    fn from(client: client_address::ClientAddress) -> Self {
        Self {
            ip: client.ip,
            claimed_ip: client.claimed,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Health {
    status: &'static str,
    problems: Vec<String>,
    stale_for_ms: u64,
    usage_pending: u64,
}

const NARROW_USAGE_COUNT: &str = "\"usageCount\" is INTEGER and stops at 2147483647. The table is too large to \
     be widened by itself: in a quiet hour run ALTER TABLE \"ApiKey\" ALTER COLUMN \"usageCount\" TYPE BIGINT";

const PLAINTEXT_LEFT: &str = "Rows that still hold the plaintext of an old instance (they are being adopted, or \
     cannot be): ";

/// Longer without the change log, and something is wrong: it is read once a second.
const STALE_MS: u64 = 5_000;

impl Health {
    /// By the state of the tables, which the database was asked for to learn whether it answers.
    pub(super) fn new(condition: &Result<Condition, Error>, service: Option<&Service>) -> Self {
        let stale_for = service.map(|service| service.cache.stale_for(Instant::now()));
        let stale_for_ms = stale_for.map_or(0, |stale| {
            u64::try_from(stale.as_millis()).unwrap_or(u64::MAX)
        });
        let mut problems = Vec::new();
        match condition {
            Ok(condition) => {
                if condition.usage_count_is_narrow {
                    problems.push(NARROW_USAGE_COUNT.to_owned());
                }
                if condition.plaintext_rows > 0 {
                    let rows = condition.plaintext_rows;
                    let more = if rows < 10_000 { "" } else { " or more" };
                    problems.push(format!("{PLAINTEXT_LEFT}{rows}{more}"));
                }
            }
            Err(error) => problems.push(error.to_string()),
        }
        if stale_for_ms > STALE_MS {
            problems.push("Changes of keys cannot be read from the database".to_owned());
        }
        let status = match (condition, problems.is_empty()) {
            (Err(_), _) => "down",
            (Ok(_), false) => "degraded",
            (Ok(_), true) => "ok",
        };
        let usage_pending = service.map_or(0, |service| service.usage.pending());
        Self {
            status,
            problems,
            stale_for_ms,
            usage_pending,
        }
    }
}

#[derive(Serialize, Default)]
pub(super) struct Stats {
    /// argon2id hashes done.
    hashes: u64,
    /// Rows read for a presented key.
    selects: u64,
    /// Keys in memory.
    cached: usize,
}

impl Stats {
    pub(super) fn of(service: Option<&Service>) -> Self {
        let Some(service) = service else {
            return Self::default();
        };
        Self {
            hashes: service.hasher.stats().hashes,
            selects: service.store.selects(),
            cached: service.cache.len(),
        }
    }
}

/// A page of the audit log.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditPage {
    events: Vec<AuditEntry>,
    next_cursor: Option<String>,
}

/// An event as it was told, with what the log adds.
#[derive(Serialize)]
struct AuditEntry {
    #[serde(flatten)]
    event: serde_json::Map<String, serde_json::Value>,
    id: String,
    at: i64,
    count: i64,
}

impl From<Page<AuditRow>> for AuditPage {
    fn from(page: Page<AuditRow>) -> Self {
        let entry = |row: AuditRow| {
            let mut event = match row.event.0 {
                serde_json::Value::Object(event) => event,
                _ => serde_json::Map::new(),
            };
            event.remove("count");
            AuditEntry {
                event,
                id: row.id,
                at: row.at.millis(),
                count: row.count,
            }
        };
        Self {
            events: page.rows.into_iter().map(entry).collect(),
            next_cursor: page.next.map(|cursor| cursor.encode()),
        }
    }
}
