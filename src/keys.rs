//! Administration of keys: create, get, list, update, patch, revoke, delete, purge, inspect.

mod ceilings;
mod change;
mod create;
mod credential;
mod delete;
mod events;
mod input;
mod inspect;
mod list;
mod owner;
mod purge;
mod query;
mod revoke;

pub(crate) use change::require_known;
pub use change::{patch, update};
pub use create::{IssuedKey, create};
pub use delete::delete;
pub(crate) use input::settings;
pub use input::{NewKey, PatchKey, UpdateKey, key_id, read_bulk_revocation, read_revocation};
pub use inspect::inspect;
pub use list::{find, get, list, read};
pub use owner::{KeyOwner, now_for};
pub use purge::purge;
pub use query::read_query;
pub use revoke::{restore, revoke, revoke_all};
