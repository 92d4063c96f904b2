//! The views of a verification, and of the client's address.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::{ClientAddress, ClientPolicy, Metadata, RateLimit, Refusal, Timestamp, VALID};
use crate::verify::{KeyEntry, Verification};

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(in crate::binding) enum VerificationView {
    Valid {
        valid: bool,
        code: &'static str,
        #[serde(flatten)]
        template: TemplateView,
        rate_limit: Option<RateLimitView>,
    },
    Refused {
        valid: bool,
        #[serde(flatten)]
        reason: RefusalView,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rate_limit: Option<RateLimitView>,
    },
}

impl VerificationView {
    /// The answer if no key was presented.
    pub(in crate::binding) fn missing_key() -> Self {
        Self::Refused {
            valid: false,
            reason: Refusal::MissingKey.into(),
            key_id: None,
            retry_after_ms: None,
            rate_limit: None,
        }
    }

    pub(in crate::binding) fn code(&self) -> &'static str {
        match self {
            Self::Valid { code, .. } => code,
            Self::Refused { reason, .. } => reason.code,
        }
    }
}

/// The constant part of a valid verification: it is the same at each verify until the key is changed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct TemplateView {
    key_id: String,
    name: String,
    client_id: String,
    scopes: Vec<String>,
    metadata: Option<Metadata>,
    expires_at: Option<Timestamp>,
    client: Option<VerifiedClientView>,
}

/// What a valid verification says of the client of the key.
#[derive(Serialize)]
struct VerifiedClientView {
    metadata: Option<Metadata>,
}

impl From<&ClientPolicy> for VerifiedClientView {
    fn from(client: &ClientPolicy) -> Self {
        Self {
            metadata: client.metadata.as_deref().cloned(),
        }
    }
}

impl From<&KeyEntry> for TemplateView {
    fn from(entry: &KeyEntry) -> Self {
        let policy = &entry.value.policy;
        Self {
            key_id: policy.key_id.to_string(),
            name: policy.name.to_string(),
            client_id: policy.client_id.to_string(),
            scopes: policy.scopes.iter().map(ToString::to_string).collect(),
            metadata: policy.metadata.as_deref().cloned(),
            expires_at: policy.expires_at,
            client: entry.value.client.policy().map(Into::into),
        }
    }
}

/// The constant part of the results of one cache entry, for `lib/warm.js`.
#[derive(Serialize)]
pub(in crate::binding) struct WarmTemplateView {
    /// The template of a later entry with the same slot replaces this one.
    slot: u64,
    #[serde(flatten)]
    template: TemplateView,
}

impl From<&KeyEntry> for WarmTemplateView {
    fn from(entry: &KeyEntry) -> Self {
        Self {
            slot: entry.slot,
            template: TemplateView::from(entry),
        }
    }
}

#[derive(Serialize)]
pub(in crate::binding) struct RefusalView {
    code: &'static str,
    status: u16,
    message: &'static str,
}

impl From<Refusal> for RefusalView {
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
pub(in crate::binding) struct RateLimitView {
    limit: u32,
    remaining: u32,
    reset_ms: u64,
    window_seconds: u64,
}

impl From<RateLimit> for RateLimitView {
    fn from(limit: RateLimit) -> Self {
        Self {
            limit: limit.limit,
            remaining: limit.remaining,
            reset_ms: limit.reset_ms,
            window_seconds: limit.window_seconds,
        }
    }
}

impl From<Verification> for VerificationView {
    fn from(verification: Verification) -> Self {
        match verification {
            Verification::Valid { entry, rate_limit } => Self::Valid {
                valid: true,
                code: VALID,
                template: TemplateView::from(&*entry),
                rate_limit: rate_limit.map(RateLimitView::from),
            },
            Verification::Refused(refused) => Self::Refused {
                valid: false,
                reason: refused.refusal.into(),
                key_id: refused
                    .entry
                    .map(|entry| entry.value.policy.key_id.to_string()),
                retry_after_ms: refused.retry_after_ms,
                rate_limit: refused.rate_limit.map(RateLimitView::from),
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct ClientAddressView {
    ip: Option<IpAddr>,
    claimed_ip: Option<IpAddr>,
}

impl From<ClientAddress> for ClientAddressView {
    fn from(client: ClientAddress) -> Self {
        Self {
            ip: client.ip,
            claimed_ip: client.claimed,
        }
    }
}
