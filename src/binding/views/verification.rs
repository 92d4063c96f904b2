//! The views of a verification, and of the client's address.

use std::net::IpAddr;

use serde::Serialize;

use crate::model::{
    ClientAddress, ClientPolicy, Environment, Level, Metadata, ProxyTrust, RateLimit, Refusal,
    Timestamp, VALID,
};
use crate::verify::{
    KeyEntry, LimitOfKey, LimitStates, QuotaOfKey, RefusedKey, Verification, tightest,
};

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(in crate::binding) enum VerificationView {
    Valid {
        valid: bool,
        code: &'static str,
        #[serde(flatten)]
        template: TemplateView,
        rate_limit: Option<RateLimitView>,
        limits: Vec<LimitView>,
        charge: Option<String>,
    },
    Refused {
        valid: bool,
        #[serde(flatten)]
        reason: RefusalView,
        #[serde(skip_serializing_if = "Option::is_none")]
        missing_scopes: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        key_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        rate_limit: Option<RateLimitView>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        limits: Vec<LimitView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        limited_by: Option<LimitedByView>,
    },
}

impl VerificationView {
    /// The answer if no key was presented.
    pub(in crate::binding) fn missing_key() -> Self {
        Self::Refused {
            valid: false,
            reason: Refusal::MissingKey.into(),
            missing_scopes: None,
            key_id: None,
            retry_after_ms: None,
            rate_limit: None,
            limits: Vec::new(),
            limited_by: None,
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
    kind: String,
    environment: Environment,
    scopes: Vec<String>,
    metadata: Option<Metadata>,
    expires_at: Option<Timestamp>,
    client: Option<VerifiedClientView>,
    /// Of a token that was derived from the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Metadata>,
    /// For what is derived from it. JavaScript keeps both to itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_ends_at: Option<Timestamp>,
    key_number: String,
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
            kind: policy.kind.to_string(),
            environment: policy.class.environment,
            scopes: policy.scopes.list(),
            metadata: policy.metadata.as_deref().cloned(),
            expires_at: policy.expires_at,
            client: entry.value.client.policy().map(Into::into),
            claims: entry.value.token.as_ref().map(|token| (*token.all).clone()),
            grace_ends_at: policy.grace_ends_at,
            key_number: entry.value.key_number.to_string(),
        }
    }
}

/// The constant part of the results of one cache entry, for `lib/warm.js`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct WarmTemplateView {
    /// The template of a later entry with the same slot replaces this one.
    slot: u64,
    #[serde(flatten)]
    template: TemplateView,
    limits: Vec<LimitTemplateView>,
    quotas: Vec<LimitedByView>,
    /// Templates with the same number have the same client.
    client_serial: u64,
}

impl From<&KeyEntry> for WarmTemplateView {
    fn from(entry: &KeyEntry) -> Self {
        Self {
            slot: entry.key.slot(),
            template: TemplateView::from(entry),
            limits: entry.value.limits().map(Into::into).collect(),
            quotas: entry.value.quotas().map(Into::into).collect(),
            client_serial: entry.value.client.serial(),
        }
    }
}

#[derive(Serialize)]
pub(in crate::binding) struct RefusalView {
    code: &'static str,
    status: u16,
    message: &'static str,
    /// What the code leaves open.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl RefusalView {
    /// The number of [`idle`](Self::idle), behind those of all refusals.
    const IDLE_NUMBER: usize = Refusal::ALL.len() + 1;

    /// All refusals in the order of their numbers, from 1.
    pub(in crate::binding) fn all() -> Vec<Self> {
        let all = Refusal::ALL.into_iter().map(Into::into);
        all.chain([Self::idle()]).collect()
    }

    /// The refusal of a key that was not used for too long.
    fn idle() -> Self {
        Self {
            reason: Some("idle"),
            ..Refusal::Expired.into()
        }
    }

    pub(in crate::binding) fn number(refused: &RefusedKey) -> u8 {
        if refused.is_idle {
            u8::try_from(Self::IDLE_NUMBER).unwrap_or(u8::MAX)
        } else {
            refused.refusal.number()
        }
    }
}

impl From<&RefusedKey> for RefusalView {
    fn from(refused: &RefusedKey) -> Self {
        if refused.is_idle {
            Self::idle()
        } else {
            refused.refusal.into()
        }
    }
}

impl From<Refusal> for RefusalView {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: refusal.code(),
            status: refusal.status(),
            message: refusal.message(),
            reason: None,
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

/// A limit of a key or of a client above it, and its state after a verify.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct LimitView {
    level: Level,
    name: String,
    limit: u32,
    remaining: u32,
    reset_ms: u64,
    /// For the headers of a guard.
    window_seconds: u64,
}

impl LimitView {
    fn list(entry: &KeyEntry, states: &LimitStates) -> Vec<Self> {
        let limits = entry.value.limits().zip(states);
        limits
            .map(|(limit, state)| Self {
                level: limit.level,
                name: limit.limit.name.to_string(),
                limit: state.limit,
                remaining: state.remaining,
                reset_ms: state.reset_ms,
                window_seconds: state.window_seconds,
            })
            .collect()
    }
}

/// The limit or quota that refuses a key.
#[derive(Serialize)]
pub(in crate::binding) struct LimitedByView {
    level: Level,
    name: String,
}

impl LimitedByView {
    fn of((entry, index): (&KeyEntry, usize)) -> Option<Self> {
        let (level, name) = entry.value.limit_name(index)?;
        let name = name.to_owned();
        Some(Self { level, name })
    }
}

impl From<QuotaOfKey<'_>> for LimitedByView {
    fn from(quota: QuotaOfKey<'_>) -> Self {
        Self {
            level: quota.level,
            name: quota.quota.name.to_string(),
        }
    }
}

/// A limit without its state.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LimitTemplateView {
    level: Level,
    name: String,
    limit: u32,
    window_seconds: u64,
}

impl From<LimitOfKey<'_>> for LimitTemplateView {
    fn from(limit: LimitOfKey<'_>) -> Self {
        Self {
            level: limit.level,
            name: limit.limit.name.to_string(),
            limit: limit.limit.rule.limit.get(),
            window_seconds: limit.limit.rule.window.as_secs(),
        }
    }
}

fn lines_of(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

impl From<Verification> for VerificationView {
    fn from(verification: Verification) -> Self {
        match verification {
            Verification::Valid {
                entry,
                limits,
                charge,
            } => Self::Valid {
                valid: true,
                code: VALID,
                template: TemplateView::from(&*entry),
                rate_limit: tightest(&limits).map(RateLimitView::from),
                limits: LimitView::list(&entry, &limits),
                charge,
            },
            Verification::Refused(refused) => {
                let entry = refused.entry.as_deref();
                let views = entry.map(|entry| LimitView::list(entry, &refused.limits));
                Self::Refused {
                    valid: false,
                    reason: (&refused).into(),
                    missing_scopes: refused.missing_scopes.as_deref().map(lines_of),
                    key_id: entry.map(|entry| entry.value.policy.key_id.to_string()),
                    retry_after_ms: refused.retry_after_ms,
                    rate_limit: tightest(&refused.limits).map(RateLimitView::from),
                    limits: views.unwrap_or_default(),
                    limited_by: entry.zip(refused.limited_by).and_then(LimitedByView::of),
                }
            }
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct ClientAddressView {
    ip: Option<IpAddr>,
    claimed_ip: Option<IpAddr>,
    has_proxies: bool,
}

impl ClientAddressView {
    pub(in crate::binding) fn new(client: ClientAddress, trust: &ProxyTrust) -> Self {
        Self {
            ip: client.ip,
            claimed_ip: client.claimed,
            has_proxies: *trust != ProxyTrust::Nobody,
        }
    }
}
