//! Administration of keys: create, get, list, update, patch, delete, inspect.

mod change;
mod create;
mod credential;
mod delete;
mod events;
mod input;
mod inspect;
mod list;

pub use change::{patch, update};
pub use create::{IssuedKey, create};
pub use delete::delete;
pub use input::{NewKey, PatchKey, UpdateKey, key_id, read_query};
pub use inspect::inspect;
pub use list::{end, get, list};
