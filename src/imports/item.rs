//! An item of an import: the settings of a key, its history, and what is known of the key itself.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::foreign_hash::{ForeignHash, foreign_hash};
use super::stored::{Stored, instant, stored};
use crate::error::Error;
use crate::hash::{Algorithm, ImportedHash};
use crate::input::{Fields, Value, rules};
use crate::keys;
use crate::model::{ApiKey, CredentialDigest, KeyChanges, Timestamp, to_hex};
use crate::random;
use crate::service::Service;
use crate::token::ParsedKey;

const USES: std::ops::RangeInclusive<i64> = 0..=9_007_199_254_740_991;
/// Characters of what is before the separator of a key.
const BEFORE_MAX: usize = 200;
const INSTANTS: [&str; 4] = ["createdAt", "lastUsedAt", "suspendedUntil", "revokedAt"];
const TEXTS: [&str; 3] = ["createdBy", "revokedBy", "revokedReason"];

/// A key that is to be imported.
pub(super) struct Item {
    pub(super) key_id: String,
    pub(super) settings: KeyChanges,
    /// Tells what was imported from what was not, also after its first use.
    pub(super) identity: String,
    /// Whether the id was made for this import.
    is_new: bool,
    credential: Stored,
    history: Vec<(&'static str, Json)>,
}

/// What an item has of the key itself.
enum Known {
    Hash(ForeignHash),
    Stored(Stored),
}

impl Item {
    pub(super) fn read(value: Value, service: &Service) -> Result<Self, Error> {
        const REQUIRED: [&str; 2] = ["name", "clientId"];
        let mut fields = Fields::of(value);
        fields.treat_null_as_absent_except(&REQUIRED);
        fields.require(&REQUIRED);
        let settings = keys::settings(&mut fields);
        let mut history: Vec<_> = INSTANTS
            .map(|name| (name, instant(&mut fields, name)))
            .into();
        for name in TEXTS {
            let text = fields.optional(name, rules::label(rules::NAME_MAX));
            history.push((name, json!(text)));
        }
        let uses = fields.optional("usageCount", rules::large_integer(USES));
        history.push(("usageCount", json!(uses.unwrap_or_default())));
        let id = fields.optional("id", rules::id);
        let prefix = fields.optional("prefix", rules::label(BEFORE_MAX));
        let known = [
            fields.optional("hash", foreign_hash).map(Known::Hash),
            fields
                .optional("key", |value| plaintext(value, service))
                .map(Known::Hash),
            fields
                .optional("stored", |value| stored(value, service))
                .map(Known::Stored),
        ];
        let mut known: Vec<Known> = known.into_iter().flatten().collect();
        if known.len() != 1 && fields.are_right() {
            fields.fail("", "must have one of hash, key and stored");
        }
        let is_new = id.is_none();
        let key_id = match &id {
            Some(id) => id.clone(),
            None => random::id(&mut random::generator()?),
        };
        let credential = match known.pop() {
            Some(Known::Stored(stored)) => Some(stored),
            Some(Known::Hash(hash)) => {
                let before = prefix.as_deref().or(id.as_deref());
                let credential = credential(hash, before);
                if credential.is_none() {
                    let message = "must be what is before the separator of the key, or else id, and not have the separator";
                    fields.fail("prefix", message);
                }
                credential
            }
            None => None,
        };
        fields.finish(credential.map(|credential| Self {
            identity: to_hex(&Sha256::digest(&credential.hash)),
            key_id,
            settings,
            is_new,
            credential,
            history,
        }))
    }

    /// What the database needs of it.
    pub(super) fn to_json(&self, service: &Service, now: Timestamp) -> Result<Json, Error> {
        let mut key = ApiKey::new(self.key_id.clone(), now);
        self.settings.apply(&mut key, now);
        let internal = |_| Error::internal("A key cannot be written as JSON");
        let mut row = serde_json::to_value(&key).map_err(internal)?;
        for (name, value) in self.history.iter().chain(&self.credential.columns) {
            if !value.is_null() {
                row[name] = value.clone();
            }
        }
        let Stored {
            hash,
            lookup,
            secret,
            was_active,
            ..
        } = &self.credential;
        row["key"] = json!(hash);
        row["lookup"] = json!(lookup);
        if !row["revokedAt"].is_null() {
            row["wasActive"] = json!(was_active.unwrap_or(key.is_active));
            row["isActive"] = json!(false);
        }
        let sealed = if secret.is_empty() {
            None
        } else {
            let nonce = random::bytes(&mut random::generator()?);
            let sealed = service.seals.seal(secret, &self.key_id, nonce);
            let sealed = sealed.ok_or_else(|| Error::internal("A secret cannot be sealed"))?;
            Some(BASE64_STANDARD.encode(sealed))
        };
        let dummy = ImportedHash::read(hash).map(|hash| hash.dummy().to_stored());
        Ok(json!({
            "row": row, "identity": self.identity, "isNew": self.is_new, "secret": sealed, "form": form_of(lookup),
            "dummy": dummy.as_ref().map_or("", |dummy| dummy.as_str()),
        }))
    }
}

/// The form in which the row with this lookup is found; `None` if it is found as others are.
fn form_of(lookup: &str) -> Option<&str> {
    lookup.strip_prefix("import:")?;
    let colons = lookup.match_indices(':');
    let (third, _) = colons.take(3).last()?;
    lookup.get(..=third)
}

/// A plaintext is imported by its digest, which finds an adopted key as well.
fn plaintext(value: Value, service: &Service) -> crate::input::Parsed<ForeignHash> {
    let text = zeroize::Zeroizing::new(rules::any_text(value)?);
    let is_key = matches!(service.tokens.parse(&text), Some(ParsedKey::Legacy));
    if !is_key || crate::hash::is_stored_hash(&text) {
        return Err(
            "must have 16 to 255 visible ASCII characters, and must not begin with one of the prefixes and _".into(),
        );
    }
    Ok(ForeignHash {
        hash: ImportedHash {
            separator: String::new(),
            algorithm: Algorithm::Sha256,
            salt: Vec::new(),
            digest: CredentialDigest::of(&text).bytes().to_vec(),
        },
        secret: Vec::new(),
        row_before: None,
    })
}

/// What is stored of a foreign hash; `None` if nothing finds its row.
fn credential(foreign: ForeignHash, before: Option<&str>) -> Option<Stored> {
    let ForeignHash {
        hash,
        secret,
        row_before,
    } = foreign;
    let lookup = match row_before {
        Some(separator) => {
            let is_presentable = |before: &&str| {
                let is_visible = before.bytes().all(|byte| byte.is_ascii_graphic());
                is_visible && (1..=BEFORE_MAX).contains(&before.len())
            };
            let before = before.filter(is_presentable)?;
            // The first separator ends it.
            let joined = format!("{before}{separator}");
            if joined.find(&separator) != Some(before.len()) {
                return None;
            }
            format!("import:row:{}:{before}", to_hex(separator.as_bytes()))
        }
        None => {
            let (by, separator) = (hash.algorithm.name(), to_hex(hash.separator.as_bytes()));
            let digest = to_hex(&hash.digest);
            if by == "sha256" && separator.is_empty() {
                format!("sha256:{digest}")
            } else {
                format!("import:{by}:{separator}:{digest}")
            }
        }
    };
    Some(Stored {
        hash: hash.to_stored().as_str().to_owned(),
        lookup,
        secret,
        was_active: None,
        columns: Vec::new(),
    })
}
