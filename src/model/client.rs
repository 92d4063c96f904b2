//! A client as it is administered.

use serde::Serialize;

use super::key::FieldChange;
use super::limit::Limits;
use super::metadata::Metadata;
use super::page::Cursor;
use super::quota::Quotas;
use super::timestamp::Timestamp;

/// The settings of a client, whom keys name in their `clientId`. Most clients have none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    pub client_id: String,
    pub name: Option<String>,
    pub is_active: bool,
    pub metadata: Option<Metadata>,
    pub allowed_ips: Vec<String>,
    /// Limits that all keys of the client share.
    #[serde(skip_serializing_if = "Limits::are_unreadable")]
    pub limits: Limits,
    /// Quotas that all keys of the client share.
    #[serde(skip_serializing_if = "Quotas::are_unreadable")]
    pub quotas: Quotas,
    /// The most keys that the client may have; `None` means any number.
    pub max_keys: Option<i32>,
    /// The client whose settings hold for this one, too.
    pub parent_id: Option<String>,
    /// The keys of the client, whatever their state.
    pub key_count: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Client {
    /// A client right before it is stored, with every setting at its default.
    #[must_use]
    pub fn new(client_id: String, now: Timestamp) -> Self {
        Self {
            client_id,
            name: None,
            is_active: true,
            metadata: None,
            allowed_ips: Vec::new(),
            limits: Limits::default(),
            quotas: Quotas::default(),
            max_keys: None,
            parent_id: None,
            key_count: 0,
            created_at: now,
            updated_at: now,
        }
    }
}

/// The settings of a client that an input names. A new client is a change of the defaults.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClientChanges {
    pub name: FieldChange<Option<String>>,
    pub is_active: FieldChange<bool>,
    pub metadata: FieldChange<Option<Metadata>>,
    pub allowed_ips: FieldChange<Vec<String>>,
    pub limits: FieldChange<Limits>,
    pub quotas: FieldChange<Quotas>,
    pub max_keys: FieldChange<Option<i32>>,
    pub parent_id: FieldChange<Option<String>>,
}

impl ClientChanges {
    /// Applies the changes to the client.
    pub fn apply(&self, client: &mut Client, now: Timestamp) {
        self.name.apply(&mut client.name);
        self.is_active.apply(&mut client.is_active);
        self.metadata.apply(&mut client.metadata);
        self.allowed_ips.apply(&mut client.allowed_ips);
        self.limits.apply(&mut client.limits);
        self.quotas.apply(&mut client.quotas);
        self.max_keys.apply(&mut client.max_keys);
        self.parent_id.apply(&mut client.parent_id);
        client.updated_at = now;
    }
}

/// The filter and the page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientQuery {
    pub limit: i32,
    pub cursor: Option<Cursor>,
    pub search: Option<String>,
}
