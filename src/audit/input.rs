//! What callers may ask of the audit log.

use crate::error::Error;
use crate::input::page::{self, Cursor};
use crate::input::{Fields, Value, rules};
use crate::model::Timestamp;
use crate::shown::Shown;

/// Characters of a type.
const TYPE_MAX: usize = 64;

/// The input of `listAuditEvents`.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditQuery {
    pub limit: i32,
    pub cursor: Option<Cursor>,
    /// As events tell it.
    pub key_id: Option<Shown>,
    pub r#type: Option<String>,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
}

/// Who does something, as the app names them: the second argument of what changes keys and tokens.
pub fn actor(options: Value) -> Result<Option<Shown>, Error> {
    let mut fields = Fields::of_optional(options);
    let actor = fields.optional("actor", rules::label(rules::NAME_MAX));
    fields.finish(Some(actor.map(|actor| Shown::new(&actor))))
}

impl AuditQuery {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let query = Self {
            limit: page::limit(&mut fields),
            cursor: fields.optional("cursor", Cursor::read),
            key_id: fields
                .optional("keyId", rules::id)
                .map(|id| Shown::new(&id)),
            r#type: fields.optional("type", rules::label(TYPE_MAX)),
            from: fields.optional("from", rules::instant),
            to: fields.optional("to", rules::instant),
        };
        fields.finish(Some(query))
    }
}
