//! The views of keys for their administration.

use std::sync::Arc;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::model::{ApiKey, Environment, KeyStatus, Page, Plaintext};
use crate::process;
use crate::service::Service;

#[derive(Serialize)]
pub(in crate::binding) struct KeyView {
    #[serde(flatten)]
    settings: ApiKey,
    status: KeyStatus,
    kind: String,
    environment: Environment,
    /// The plaintext, which only creation and regeneration return.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Zeroizing<String>>,
}

impl KeyView {
    pub(in crate::binding) fn new(
        settings: ApiKey,
        plaintext: Option<&Plaintext>,
        service: &Service,
    ) -> Self {
        let class = service.tokens.format().class_of(settings.start.as_deref());
        let key = plaintext.map(|plaintext| Zeroizing::new(plaintext.expose().to_owned()));
        Self {
            status: KeyStatus::of(&settings, process::now(), service.config.max_idle_days),
            kind: service.config.kinds.of(class).name.to_string(),
            environment: class.environment,
            settings,
            key,
        }
    }

    pub(in crate::binding) fn of(settings: ApiKey, service: &Service) -> Self {
        Self::new(settings, None, service)
    }
}

/// The ids of the keys of a query, and the cursor of what comes after them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct FoundKeysView {
    ids: Vec<String>,
    next_cursor: Option<String>,
}

impl From<Page<String>> for FoundKeysView {
    fn from(found: Page<String>) -> Self {
        Self {
            ids: found.rows,
            next_cursor: found.next,
        }
    }
}

#[derive(Serialize)]
pub(in crate::binding) struct RevokedKeysView {
    pub(in crate::binding) count: i64,
}

/// What is known of a text that was reported as a leaked key.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct ReportedKeyView {
    known: bool,
    key_id: Option<Box<str>>,
}

impl From<Option<Arc<str>>> for ReportedKeyView {
    fn from(id: Option<Arc<str>>) -> Self {
        Self {
            known: id.is_some(),
            key_id: id.as_deref().map(Box::from),
        }
    }
}
