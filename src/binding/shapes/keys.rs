//! A key, as its administration sees it.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::input::page::Page;
use crate::model::{self, Timestamp};
use crate::token::Plaintext;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct ApiKey {
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
    pub(in crate::binding) fn with_key(key: model::ApiKey, plaintext: Option<&Plaintext>) -> Self {
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
pub(in crate::binding) struct ApiKeyPage {
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
