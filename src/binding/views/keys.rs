//! The views of keys for their administration.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::model::{ApiKey, Page, Plaintext};

#[derive(Serialize)]
pub(in crate::binding) struct KeyView {
    #[serde(flatten)]
    settings: ApiKey,
    /// The plaintext, which only creation and regeneration return.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Zeroizing<String>>,
}

impl KeyView {
    pub(in crate::binding) fn new(settings: ApiKey, plaintext: Option<&Plaintext>) -> Self {
        let key = plaintext.map(|plaintext| Zeroizing::new(plaintext.expose().to_owned()));
        Self { settings, key }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct KeyPageView {
    keys: Vec<ApiKey>,
    next_cursor: Option<String>,
}

impl From<Page<ApiKey>> for KeyPageView {
    fn from(page: Page<ApiKey>) -> Self {
        Self {
            keys: page.rows,
            next_cursor: page.next.map(|cursor| cursor.encode()),
        }
    }
}
