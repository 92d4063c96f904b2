//! The views of keys for their administration.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::model::{ApiKey, Cursor, Plaintext, Timestamp};

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

/// Where a number of keys ends: the cursor after the last of them, and which one that is.
#[derive(Serialize)]
pub(in crate::binding) struct KeysEndView {
    cursor: String,
    id: String,
    at: Timestamp,
}

impl From<Cursor> for KeysEndView {
    fn from(end: Cursor) -> Self {
        Self {
            cursor: end.encode(),
            id: end.id,
            at: end.at,
        }
    }
}
