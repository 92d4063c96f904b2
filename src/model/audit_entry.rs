//! Entries of the audit log.

use serde_json::Value;

use super::escaped::Escaped;
use super::metadata::Metadata;
use super::page::Cursor;
use super::timestamp::Timestamp;

/// An entry to be written.
#[derive(Debug, Clone)]
pub struct AuditEntry {
    pub id: String,
    pub at: Timestamp,
    /// The number of identical events, of which this is the first.
    pub count: i64,
    /// The event as JSON.
    pub event: Value,
}

/// A stored entry, perhaps from another writer.
#[derive(Debug)]
pub struct StoredAuditEntry {
    pub id: String,
    pub at: Timestamp,
    pub count: i64,
    pub event: Metadata,
}

/// The filter and the page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditQuery {
    pub limit: i32,
    pub cursor: Option<Cursor>,
    /// Escaped, as in events.
    pub key_id: Option<Escaped>,
    pub r#type: Option<String>,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
}
