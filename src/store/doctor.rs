//! The questions of `doctor` to a database, which may be in any state. Every operation is a read-only transaction.

mod connection;
mod rows;
mod schema;

pub use connection::{Access, NoAccess, Server, Tables, connect};
pub use rows::UnreadableRows;
