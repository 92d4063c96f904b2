//! Webhooks, what they can be told of, and the deliveries of that.

use super::key::FieldChange;

/// The types of notices, in the order of the documentation.
pub const NOTICE_TYPES: [&str; 21] = [
    "key.issued",
    "key.changed",
    "key.revoked",
    "keys.revoked",
    "key.restored",
    "key.deleted",
    "key.suspended",
    "key.expiring",
    "key.expired",
    "key.unused",
    "key.leaked",
    "key.rotation.first_use",
    "key.previous_still_used",
    "key.reuse_detected",
    "quota.threshold",
    "client.changed",
    "client.deleted",
    "role.changed",
    "role.deleted",
    "database.unavailable",
    "database.recovered",
];

pub const DELIVERY_STATES: [&str; 3] = ["pending", "delivered", "dead"];

/// What is set of a webhook; the rest stays as it is, or is the default.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookChanges {
    pub url: Option<String>,
    /// `None` inside: all types.
    pub types: FieldChange<Option<Vec<String>>>,
    pub is_active: Option<bool>,
}

/// A query for deliveries, the newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryQuery {
    pub webhook_id: Option<String>,
    pub state: Option<&'static str>,
    /// The id of the last delivery of the page before.
    pub before: Option<i64>,
    pub limit: i32,
}
