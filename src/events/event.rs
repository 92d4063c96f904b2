//! What can happen, and how urgent it is.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::Escaped;

/// Something that happened. Never with a secret in it; what came from outside is [`Escaped`].
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type")]
pub enum Event {
    #[serde(rename = "key.issued")]
    KeyIssued(KeyEvent),
    #[serde(rename = "key.changed")]
    KeyChanged(KeyEvent),
    #[serde(rename = "key.deleted", rename_all = "camelCase")]
    KeyDeleted {
        key_id: Escaped,
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<Escaped>,
    },
    /// Attempts alike since the last flush, told together.
    #[serde(rename = "key.refused", rename_all = "camelCase")]
    KeyRefused(RefusedAttempts),
    /// An admin token that was refused, or that lacked a permission.
    #[serde(rename = "admin.refused", rename_all = "camelCase")]
    AdminRefused(RefusedAttempts),
    #[serde(rename = "admin.issued")]
    AdminIssued(AdminEvent),
    #[serde(rename = "admin.revoked")]
    AdminRevoked(AdminEvent),
    /// A key exceeded its rate limit: told once, by the process that stored it.
    #[serde(rename = "key.suspended", rename_all = "camelCase")]
    KeySuspended {
        key_id: Escaped,
        name: Escaped,
        client_id: Escaped,
        /// Milliseconds since 1970.
        suspended_until: i64,
    },
    /// An admin token of an old instance permits everything from here on, by its name.
    #[serde(rename = "admin.adopted", rename_all = "camelCase")]
    AdminAdopted {
        token_id: Escaped,
        name: Escaped,
        permissions: Vec<Escaped>,
    },
    /// Postgres does not answer: told once in an outage.
    #[serde(rename = "database.unavailable")]
    DatabaseUnavailable { message: String },
    /// It does again.
    #[serde(rename = "database.recovered", rename_all = "camelCase")]
    DatabaseRecovered { down_for_ms: u64 },
    /// A stored hash that is none, or that would cost more than is allowed, so the key is refused: told once of a row.
    #[serde(rename = "key.unreadable", rename_all = "camelCase")]
    KeyUnreadable {
        key_id: Escaped,
        name: Escaped,
        client_id: Escaped,
    },
    /// A defect of this package, or an unexpected answer of the database: emitted once for each place.
    #[serde(rename = "internal.error")]
    InternalError(InternalFault),
    /// A setting that works and is not advisable.
    #[serde(rename = "configuration.warning")]
    ConfigurationWarning { message: String },
}

/// Administration of a key.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyEvent {
    pub key_id: Escaped,
    pub name: Escaped,
    pub client_id: Escaped,
    /// By field: what it was and what it is.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub changes: Map<String, Value>,
    /// Who did it, as the app names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// Administration of an admin token.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminEvent {
    pub token_id: Escaped,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// Refused attempts that have all of this in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedAttempts {
    pub reason: &'static str,
    pub count: u64,
    /// Whose key it was, where the key itself was right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<Escaped>,
    /// The public part of a key that nobody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// What a header said of the address, which nobody has to believe. Of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_ip: Option<IpAddr>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
    /// Of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Escaped>,
}

/// Where an internal fault began. Without its text, which may quote a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct InternalFault {
    /// Of the source.
    pub place: String,
    /// The name of the statement that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The background work that failed; absent where a call did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Info,
    Warning,
    Critical,
}

/// Alerts have room where a flood of the rest has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    Rest,
    Alert,
}

impl Event {
    #[must_use]
    pub fn recovered(down_for: Duration) -> Self {
        Self::DatabaseRecovered {
            down_for_ms: u64::try_from(down_for.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// What an admin wants to be told at once, the all-clear too.
    pub fn urgency(&self) -> Urgency {
        match self {
            Self::DatabaseRecovered { .. } => Urgency::Alert,
            _ if self.severity() >= Severity::Warning => Urgency::Alert,
            _ => Urgency::Rest,
        }
    }

    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::KeyIssued(_)
            | Self::KeyChanged(_)
            | Self::KeyDeleted { .. }
            | Self::KeyRefused(_)
            | Self::AdminRefused(_)
            | Self::AdminIssued(_)
            | Self::AdminRevoked(_)
            | Self::DatabaseRecovered { .. } => Severity::Info,
            Self::KeySuspended { .. }
            | Self::KeyUnreadable { .. }
            | Self::AdminAdopted { .. }
            | Self::ConfigurationWarning { .. } => Severity::Warning,
            Self::DatabaseUnavailable { .. } | Self::InternalError(_) => Severity::Critical,
        }
    }
}
