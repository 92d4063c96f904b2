//! Whether a key may be used now, here and for this purpose: pure, the clock is a parameter.

use std::net::IpAddr;
use std::sync::Arc;

use super::client_policy::ClientPolicy;
use super::ip::AllowList;
use super::kind::KeyClass;
use super::limit::Limit;
use super::metadata::Metadata;
use super::origins::Origins;
use super::quota::Quota;
use super::scope::{EffectiveScopes, ScopeQuery};
use super::timestamp::Timestamp;

/// The code of an accepted key or token.
pub const VALID: &str = "VALID";

/// The reason why a presented key is refused. A value, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    InvalidKey,
    /// Its kind is none of those that are asked for.
    WrongKind,
    /// Its environment is none of those that are asked for.
    WrongEnvironment,
    Expired,
    Revoked,
    Disabled,
    /// The client of the key is disabled, or one above it.
    ClientDisabled,
    IpNotAllowed,
    /// Pages of this origin may not use the key.
    OriginNotAllowed,
    InsufficientScope,
    RateLimited,
    /// A quota of the key, or of a client above it, is used up.
    QuotaExceeded,
    Suspended,
    /// The address keeps presenting wrong keys, so this key was not looked up.
    Throttled,
    /// No key was presented.
    MissingKey,
}

impl Refusal {
    pub const ALL: [Self; 15] = [
        Self::InvalidKey,
        Self::WrongKind,
        Self::WrongEnvironment,
        Self::Expired,
        Self::Revoked,
        Self::Disabled,
        Self::ClientDisabled,
        Self::IpNotAllowed,
        Self::OriginNotAllowed,
        Self::InsufficientScope,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::Suspended,
        Self::Throttled,
        Self::MissingKey,
    ];

    /// The position in [`Refusal::ALL`], counted from 1.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8 + 1
    }

    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidKey => "INVALID_KEY",
            Self::WrongKind => "WRONG_KIND",
            Self::WrongEnvironment => "WRONG_ENVIRONMENT",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::Disabled => "DISABLED",
            Self::ClientDisabled => "CLIENT_DISABLED",
            Self::IpNotAllowed => "IP_NOT_ALLOWED",
            Self::OriginNotAllowed => "ORIGIN_NOT_ALLOWED",
            Self::InsufficientScope => "INSUFFICIENT_SCOPE",
            Self::RateLimited => "RATE_LIMITED",
            Self::QuotaExceeded => "QUOTA_EXCEEDED",
            Self::Suspended => "SUSPENDED",
            Self::Throttled => "THROTTLED",
            Self::MissingKey => "MISSING_KEY",
        }
    }

    /// The HTTP status (RFC 9110; 429 is RFC 6585).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::MissingKey
            | Self::InvalidKey
            | Self::WrongKind
            | Self::WrongEnvironment
            | Self::Expired
            | Self::Revoked
            | Self::Disabled
            | Self::ClientDisabled => 401,
            Self::IpNotAllowed | Self::OriginNotAllowed | Self::InsufficientScope => 403,
            Self::RateLimited | Self::QuotaExceeded | Self::Suspended | Self::Throttled => 429,
        }
    }

    /// The message for clients. A caller without a valid key learns nothing about the key.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::InvalidKey
            | Self::Expired
            | Self::Revoked
            | Self::Disabled
            | Self::ClientDisabled => "Invalid API key",
            Self::WrongKind => "API key of this kind not accepted here",
            Self::WrongEnvironment => "API key of this environment not accepted here",
            Self::OriginNotAllowed => "Origin not allowed for this API key",
            Self::IpNotAllowed => "IP address not allowed for this API key",
            Self::InsufficientScope => "API key lacks a required scope",
            Self::RateLimited => "Rate limit exceeded",
            Self::QuotaExceeded => "Quota exceeded",
            Self::Suspended => "API key is suspended after exceeding its rate limit",
            Self::MissingKey => "Missing required header: x-api-key",
            Self::Throttled => "Too many invalid API keys from this address",
        }
    }
}

/// The part of a key that a verify needs: its holder and what it permits. Kept small, since every cached key has one.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyPolicy {
    pub key_id: Arc<str>,
    pub class: KeyClass,
    /// The name of its kind.
    pub kind: Arc<str>,
    pub name: Box<str>,
    pub client_id: Box<str>,
    pub is_revoked: bool,
    /// Revoked for good, since somebody else may know the key.
    pub is_compromised: bool,
    pub is_active: bool,
    pub expires_at: Option<Timestamp>,
    pub suspended_until: Option<Timestamp>,
    /// The presented key was replaced by a newer one and stays valid until this instant.
    pub grace_ends_at: Option<Timestamp>,
    pub allow_list: AllowList,
    pub origins: Origins,
    pub scopes: EffectiveScopes,
    pub metadata: Option<Box<Metadata>>,
    /// Requests per window; below 1 means no limit (legacy rows).
    pub rate_limit: Option<i32>,
    /// `None` means the configured window.
    pub rate_limit_window_seconds: Option<i32>,
    /// Further limits.
    pub limits: Vec<Limit>,
    pub quotas: Vec<Quota>,
    /// Incremented to reset what was used of the limits.
    pub reset_generation: i32,
}

impl KeyPolicy {
    /// The memory of its texts and lists, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let metadata = self.metadata.as_ref();
        self.key_id.len()
            + self.name.len()
            + self.client_id.len()
            + self.scopes.bytes()
            + self.allow_list.bytes()
            + self.origins.bytes()
            + self.limits.iter().map(Limit::bytes).sum::<usize>()
            + self.quotas.iter().map(Quota::bytes).sum::<usize>()
            + metadata.map_or(0, |metadata| metadata.as_str().len())
    }

    /// Whether its expiry has come. A key expires at exactly that instant.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Whether the presented key was replaced by a newer one, and its grace period is over.
    #[must_use]
    pub fn is_replaced(&self, now: Timestamp) -> bool {
        self.grace_ends_at.is_some_and(|until| until <= now)
    }

    /// Checks everything that does not depend on earlier requests: revocation, active, expiry, suspension, address, origin, scopes. `clients`
    /// are the client of the key and those above it, as far as they have settings.
    ///
    /// Whether it is idle is a parameter, and so is the suspension: a process knows of its own uses and suspensions before the row
    /// does.
    pub fn check(
        &self,
        now: Timestamp,
        (ip, origin): (Option<IpAddr>, Option<&str>),
        scopes: &ScopeQuery<'_>,
        is_idle: bool,
        suspended_until: Option<Timestamp>,
        clients: &[ClientPolicy],
    ) -> Result<(), Refusal> {
        self.check_state(now, is_idle, suspended_until, clients)?;
        let allows = |client: &ClientPolicy| client.allow_list.allows(ip);
        if !self.allow_list.allows(ip) || !clients.iter().all(allows) {
            return Err(Refusal::IpNotAllowed);
        }
        if !self.origins.allow(origin) {
            return Err(Refusal::OriginNotAllowed);
        }
        if !scopes.is_met_by(&self.scopes) {
            return Err(Refusal::InsufficientScope);
        }
        Ok(())
    }

    /// The same without what depends on the request: address and scopes.
    pub fn check_state(
        &self,
        now: Timestamp,
        is_idle: bool,
        suspended_until: Option<Timestamp>,
        clients: &[ClientPolicy],
    ) -> Result<(), Refusal> {
        if self.is_replaced(now) {
            return Err(Refusal::InvalidKey);
        }
        if self.is_revoked {
            return Err(Refusal::Revoked);
        }
        if !self.is_active {
            return Err(Refusal::Disabled);
        }
        if !clients.iter().all(|client| client.is_active) {
            return Err(Refusal::ClientDisabled);
        }
        if self.is_expired(now) || is_idle {
            return Err(Refusal::Expired);
        }
        if suspended_until.is_some_and(|until| until > now) {
            return Err(Refusal::Suspended);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
