//! What a verify says, and who asked.

use std::net::IpAddr;

use serde::Serialize;

use crate::limit::RateLimit as Limit;
use crate::model::{Grant, Refusal, Timestamp};
use crate::{client_address, verify};

/// The code of an accepted key or token.
pub(in crate::binding) const VALID: &str = "VALID";

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(in crate::binding) enum Verification {
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
    pub(in crate::binding) fn code(&self) -> &'static str {
        match self {
            Self::Valid { code, .. } => code,
            Self::Refused { reason, .. } => reason.code,
        }
    }
}

/// What a valid verification says of the key: the same at each verify until the key is changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct Template {
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
pub(in crate::binding) struct Reason {
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
pub(in crate::binding) struct RateLimit {
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
                code: VALID,
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
pub(in crate::binding) struct ClientAddress {
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
