//! The roles of a key, as far as a verify needs them.

use sqlx::types::Json;

/// The name of a role that a key names, and its scopes if there is such a role.
pub type RoleRow = (Box<str>, Option<Vec<String>>);

pub(super) type RoleRows = Json<Vec<RoleRow>>;
