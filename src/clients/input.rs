//! The input of callers about clients.

use crate::error::Error;
use crate::input::{Fields, Value, argument, limits, page, quotas, rules};
use crate::model::{ClientChanges, ClientQuery, Cursor};

/// The input of `setClient`.
#[derive(Debug, Clone, PartialEq)]
pub struct SetClient {
    pub client_id: String,
    pub changes: ClientChanges,
}

impl SetClient {
    /// An absent field is kept; `null` clears a field.
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let client_id = fields.required("clientId", rules::label(rules::NAME_MAX));
        let changes = ClientChanges {
            name: fields.clearable("name", rules::label(rules::NAME_MAX)),
            is_active: fields.change("isActive", rules::boolean),
            metadata: fields.clearable("metadata", rules::metadata),
            allowed_ips: fields.emptiable("allowedIps", rules::allowed_ips),
            limits: fields.emptiable("limits", limits::of_client),
            quotas: fields.emptiable("quotas", quotas::quotas),
            max_keys: fields.clearable("maxKeys", rules::integer(rules::MAX_KEYS)),
            parent_id: fields.clearable("parentId", rules::label(rules::NAME_MAX)),
        };
        fields.finish(client_id.map(|client_id| Self { client_id, changes }))
    }
}

/// Reads the input of `listClients`.
pub fn read_query(value: Value) -> Result<ClientQuery, Error> {
    let mut fields = Fields::of_optional(value);
    let query = ClientQuery {
        limit: page::limit(&mut fields),
        cursor: page::cursor(&mut fields, Cursor::decode),
        search: page::search(&mut fields),
    };
    fields.finish(Some(query))
}

/// Reads the id of a client, as the only argument.
pub fn client_id(value: Value) -> Result<String, Error> {
    argument("clientId", value, rules::label(rules::NAME_MAX))
}
