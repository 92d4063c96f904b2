//! Administration of clients: set, get, list, delete.

mod delete;
mod events;
mod input;
mod list;
mod set;

pub use delete::delete;
pub use input::{SetClient, client_id, read_query};
pub use list::{get, list};
pub use set::set;
