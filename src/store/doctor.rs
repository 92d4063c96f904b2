//! The queries of `doctor`, for a database in any state. Every operation is a read-only transaction.

mod before;
mod connection;
mod limits;
mod rows;
mod schema;

pub use before::OldCredential;
pub use connection::{Access, Server, Tables, connect};
pub use rows::UnreadableRows;
