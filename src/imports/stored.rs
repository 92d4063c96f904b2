//! What an export has of the stored key, so that an import gives the same row.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};

use crate::hash::{ImportedHash, is_imported, is_stored_hash};
use crate::input::{Fields, Parsed, Value, rules};
use crate::model::Timestamp;
use crate::service::Service;

/// The longest lookup: of an imported key, with what is before its separator.
const LOOKUP_MAX: usize = 300;

/// The columns of a key that only an export knows.
pub(super) struct Stored {
    pub(super) hash: String,
    pub(super) lookup: String,
    /// The key of an HMAC, also of the previous key; empty for others.
    pub(super) secret: Vec<u8>,
    pub(super) was_active: Option<bool>,
    pub(super) columns: Vec<(&'static str, Json)>,
}

pub(super) fn stored(value: Value, service: &Service) -> Parsed<Stored> {
    let mut fields = Fields::of(value);
    fields.treat_null_as_absent_except(&[]);
    let key = fields.required("key", hash);
    let lookup = fields.required("lookup", rules::label(LOOKUP_MAX));
    let previous = fields.optional("previousKey", hash);
    let mut secret = None;
    if [&key, &previous]
        .into_iter()
        .flatten()
        .any(|hash| needs_secret(hash))
    {
        secret = fields.required("secret", |value| {
            let bytes = BASE64_STANDARD.decode(rules::any_text(value)?);
            bytes.map_err(|_| "must be base64".into())
        });
    } else {
        fields.optional("secret", |_| Parsed::<()>::Err("is of no use".into()));
    }
    let was_active = fields.optional("wasActive", rules::boolean);
    let mut columns = Vec::new();
    for name in [
        "start",
        "signingKey",
        "previousLookup",
        "previousSigningKey",
    ] {
        let text = fields.optional(name, rules::label(LOOKUP_MAX));
        // Such a key would be refused wherever it is presented.
        if name == "signingKey"
            && let Some(fingerprint) = &text
            && !service
                .tokens
                .keyring()
                .fingerprints()
                .contains(fingerprint)
        {
            fields.fail(name, "must name one of the signing keys of this app");
        }
        columns.push((name, json!(text)));
    }
    columns.push(("previousKey", json!(previous)));
    for name in ["rotatedAt", "previousKeyExpiresAt"] {
        columns.push((name, instant(&mut fields, name)));
    }
    let stored = key.zip(lookup).map(|(hash, lookup)| Stored {
        hash,
        lookup,
        secret: secret.unwrap_or_default(),
        was_active,
        columns,
    });
    fields.finish_nested(stored)
}

fn hash(value: Value) -> Parsed<String> {
    let text = rules::any_text(value)?;
    let is_readable = if is_imported(&text) {
        ImportedHash::read(&text).is_some()
    } else {
        is_stored_hash(&text)
    };
    if is_readable {
        Ok(text)
    } else {
        Err("must be a hash as exportApiKeys writes it".into())
    }
}

fn needs_secret(hash: &str) -> bool {
    ImportedHash::read(hash).is_some_and(|hash| hash.needs_secret())
}

/// An instant, in milliseconds.
pub(super) fn instant(fields: &mut Fields, name: &'static str) -> Json {
    json!(fields.optional(name, rules::instant).map(Timestamp::millis))
}
