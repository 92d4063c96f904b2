//! The events and their urgency.

use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{Escaped, Level, Timestamp};

/// An event. It never contains a secret; text from outside is [`Escaped`].
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type")]
pub enum Event {
    #[serde(rename = "key.issued")]
    KeyIssued(KeyEvent),
    #[serde(rename = "key.changed")]
    KeyChanged(KeyEvent),
    #[serde(rename = "key.revoked")]
    KeyRevoked(KeyRevoked),
    #[serde(rename = "keys.revoked")]
    KeysRevoked(KeysRevoked),
    #[serde(rename = "keys.imported")]
    KeysImported(KeysImported),
    /// A key was found where others can read it.
    #[serde(rename = "key.leaked")]
    KeyLeaked(KeyLeaked),
    #[serde(rename = "key.restored")]
    KeyRestored(KeyEvent),
    #[serde(rename = "key.deleted", rename_all = "camelCase")]
    KeyDeleted {
        key_id: Escaped,
        /// Why it was deleted, if nobody asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<Escaped>,
    },
    /// Identical attempts since the last flush, emitted as one event.
    #[serde(rename = "key.refused", rename_all = "camelCase")]
    KeyRefused(RefusedAttempts),
    /// An admin token that was refused, or that lacked a permission.
    #[serde(rename = "admin.refused", rename_all = "camelCase")]
    AdminRefused(RefusedAttempts),
    #[serde(rename = "admin.issued")]
    AdminIssued(AdminEvent),
    #[serde(rename = "admin.rotated")]
    AdminRotated(AdminEvent),
    #[serde(rename = "admin.revoked")]
    AdminRevoked(AdminEvent),
    /// Somebody signed in to the console with an admin token, or with a link for it.
    #[serde(rename = "admin.signed_in")]
    AdminSignedIn(AdminEvent),
    #[serde(rename = "admin.signed_out")]
    AdminSignedOut(AdminEvent),
    /// A link that signs in to the console once.
    #[serde(rename = "admin.link_issued")]
    AdminLinkIssued(AdminEvent),
    #[serde(rename = "client.changed")]
    ClientChanged(ClientEvent),
    #[serde(rename = "client.deleted")]
    ClientDeleted(ClientEvent),
    #[serde(rename = "role.changed")]
    RoleChanged(RoleEvent),
    #[serde(rename = "role.deleted")]
    RoleDeleted(RoleEvent),
    #[serde(rename = "webhook.changed")]
    WebhookChanged(WebhookEvent),
    #[serde(rename = "webhook.deleted")]
    WebhookDeleted(WebhookEvent),
    /// Another key signs derived tokens from now on.
    #[serde(rename = "token_key.rotated")]
    TokenKeyRotated {
        kid: String,
        /// `rotated`, `first`, or `unreadable`: no secret of the process opened the one before.
        reason: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        actor: Option<Escaped>,
    },
    #[serde(rename = "quota.granted")]
    QuotaGranted(QuotaEvent),
    /// A key exceeded its rate limit: emitted once, by the process that stored the suspension.
    #[serde(rename = "key.suspended", rename_all = "camelCase")]
    KeySuspended {
        key_id: Escaped,
        name: Escaped,
        client_id: Escaped,
        /// Milliseconds since 1970.
        suspended_until: i64,
    },
    /// The new key of a rotation was used for the first time: emitted once for each rotation.
    #[serde(rename = "key.rotation.first_use", rename_all = "camelCase")]
    KeyRotationFirstUse {
        key_id: Escaped,
        name: Escaped,
        client_id: Escaped,
        /// Milliseconds since 1970.
        current_key_first_used_at: i64,
    },
    /// A replaced key was used within a day before its grace period ends: emitted once for each rotation.
    #[serde(rename = "key.previous_still_used", rename_all = "camelCase")]
    KeyPreviousStillUsed {
        key_id: Escaped,
        name: Escaped,
        client_id: Escaped,
        /// Milliseconds since 1970.
        previous_key_last_used_at: i64,
        previous_key_expires_at: i64,
    },
    /// A replaced key was presented after its grace period: emitted at most once an hour for each key.
    #[serde(rename = "key.reuse_detected", rename_all = "camelCase")]
    KeyReuseDetected {
        key_id: Escaped,
        name: Escaped,
        client_id: Escaped,
        /// The address that presented it first.
        #[serde(skip_serializing_if = "Option::is_none")]
        ip: Option<IpAddr>,
    },
    /// A legacy admin token that permits everything, because of its name, was imported.
    #[serde(rename = "admin.adopted", rename_all = "camelCase")]
    AdminAdopted {
        token_id: Escaped,
        name: Escaped,
        permissions: Vec<Escaped>,
    },
    /// Postgres does not answer: emitted once per outage.
    #[serde(rename = "database.unavailable")]
    DatabaseUnavailable { message: String },
    /// Postgres answers again.
    #[serde(rename = "database.recovered", rename_all = "camelCase")]
    DatabaseRecovered { down_for_ms: u64 },
    /// Triggers are missing or disabled, or rows are hidden, so that changes by others may go unnoticed: emitted once for
    /// each reason.
    #[serde(rename = "changes.untracked")]
    ChangesUntracked { message: String },
    /// A migration waits for another session that migrates the same database: emitted once for each wait.
    #[serde(rename = "migration.waiting")]
    MigrationWaiting { message: String },
    /// A stored hash is malformed, would cost more than is allowed, lacks its lookup or is not of the key that the lookup
    /// names, so the key is refused: emitted once per row.
    #[serde(rename = "key.unreadable", rename_all = "camelCase")]
    KeyUnreadable {
        key_id: Escaped,
        name: Escaped,
        client_id: Escaped,
    },
    /// The database refuses to store usage or a suspension in the row of a key: emitted once, until it was stored.
    #[serde(rename = "key.unwritable", rename_all = "camelCase")]
    KeyUnwritable {
        key_id: Escaped,
        #[serde(skip_serializing_if = "Option::is_none")]
        sqlstate: Option<String>,
    },
    /// A webhook did not accept a notice: emitted once, until it has accepted one.
    #[serde(rename = "webhook.failing", rename_all = "camelCase")]
    WebhookFailing {
        webhook_id: Escaped,
        problem: Escaped,
    },
    /// Notices for webhooks could not be written, and are lost.
    #[serde(rename = "notices.lost")]
    NoticesLost { count: u64, sqlstate: Escaped },
    /// A defect of this package, or an unexpected answer of the database: emitted once per origin.
    #[serde(rename = "internal.error")]
    InternalError(InternalFault),
    /// A setting that works but is not advisable.
    #[serde(rename = "configuration.warning")]
    ConfigurationWarning { message: String },
}

/// A change in the administration of a key.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyEvent {
    pub key_id: Escaped,
    pub name: Escaped,
    pub client_id: Escaped,
    /// The old and the new value of each changed field.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub changes: Map<String, Value>,
    /// The actor, as the app names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// A key that was revoked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRevoked {
    pub key_id: Escaped,
    pub name: Escaped,
    pub client_id: Escaped,
    pub reason: Escaped,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
    /// The request of whoever presented the key to revoke it.
    #[serde(flatten)]
    pub request: RequestOrigin,
}

/// Where a request comes from.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOrigin {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The leftmost address in the header, which anyone can forge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Escaped>,
}

/// Keys that were revoked at once.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeysRevoked {
    pub count: i64,
    pub reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// Keys that other programs had issued.
#[derive(Debug, Clone, Serialize)]
pub struct KeysImported {
    pub imported: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// A key that was reported as leaked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyLeaked {
    pub key_id: Escaped,
    pub name: Escaped,
    pub client_id: Escaped,
    /// What became of it.
    pub action: &'static str,
    /// Where it was found, without the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// A change in the administration of an admin token.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdminEvent {
    pub token_id: Escaped,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// A change in the administration of a client.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientEvent {
    pub client_id: Escaped,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Escaped>,
    /// The old and the new value of each changed field; those of a new client were the defaults.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub changes: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// A change of a role.
#[derive(Debug, Clone, Serialize)]
pub struct RoleEvent {
    pub role: Escaped,
    /// The scopes before and after.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub changes: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// A change in the administration of a webhook.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEvent {
    pub webhook_id: Escaped,
    /// The fields that were set. Their values may be secret: a URL can have one in its path.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub changes: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// Units that were added to a quota.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaEvent {
    /// The key or the client whose quota it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Escaped>,
    /// Its name.
    pub quota: String,
    pub amount: i64,
    /// Milliseconds since 1970; `None` if the grant never ends.
    pub expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<Escaped>,
}

/// A limit or quota as a verify names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitName {
    pub level: Level,
    pub name: Escaped,
}

/// The properties that a group of refused attempts have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RefusedAttempts {
    pub reason: &'static str,
    pub count: u64,
    /// The key that was presented, if it was authentic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_id: Option<Escaped>,
    /// The public part of an unknown key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup: Option<Escaped>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The leftmost address in the header, which anyone can forge; from the first attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_ip: Option<IpAddr>,
    /// The limit that refused the first attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<LimitName>,
    /// The recommended action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
    /// From the first attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Escaped>,
}

/// The origin of an internal fault, without its message, which may quote a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize)]
pub struct InternalFault {
    /// The file and line in the source.
    pub place: String,
    /// The name of the statement that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// The background task that met it first; absent if that was a call.
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

/// Alerts have room in the queue even when a flood of other events has none.
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

    /// Alerts are the events that an admin wants to know of at once, the all-clear included.
    pub fn urgency(&self) -> Urgency {
        match self {
            Self::DatabaseRecovered { .. } => Urgency::Alert,
            _ if self.severity() >= Severity::Warning => Urgency::Alert,
            _ => Urgency::Rest,
        }
    }

    /// Whether it is about attempts that no row stands behind. Anyone can make any number of these.
    #[must_use]
    pub fn is_of_strangers(&self) -> bool {
        match self {
            Self::KeyRefused(refused) | Self::AdminRefused(refused) => {
                refused.key_id.is_none() && refused.token_id.is_none()
            }
            _ => false,
        }
    }

    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::KeyIssued(_)
            | Self::KeyChanged(_)
            | Self::KeyRevoked(_)
            | Self::KeysRevoked(_)
            | Self::KeysImported(_)
            | Self::KeyRestored(_)
            | Self::KeyDeleted { .. }
            | Self::KeyRefused(_)
            | Self::AdminRefused(_)
            | Self::AdminIssued(_)
            | Self::AdminRotated(_)
            | Self::AdminRevoked(_)
            | Self::AdminSignedIn(_)
            | Self::AdminSignedOut(_)
            | Self::AdminLinkIssued(_)
            | Self::ClientChanged(_)
            | Self::ClientDeleted(_)
            | Self::RoleChanged(_)
            | Self::RoleDeleted(_)
            | Self::WebhookChanged(_)
            | Self::WebhookDeleted(_)
            | Self::QuotaGranted(_)
            | Self::TokenKeyRotated { .. }
            | Self::KeyRotationFirstUse { .. }
            | Self::DatabaseRecovered { .. } => Severity::Info,
            Self::KeyLeaked(_)
            | Self::KeySuspended { .. }
            | Self::KeyPreviousStillUsed { .. }
            | Self::KeyReuseDetected { .. }
            | Self::KeyUnreadable { .. }
            | Self::KeyUnwritable { .. }
            | Self::AdminAdopted { .. }
            | Self::MigrationWaiting { .. }
            | Self::WebhookFailing { .. }
            | Self::ConfigurationWarning { .. } => Severity::Warning,
            Self::DatabaseUnavailable { .. }
            | Self::ChangesUntracked { .. }
            | Self::NoticesLost { .. }
            | Self::InternalError(_) => Severity::Critical,
        }
    }
}
