//! What `doctor` asks of a database, whatever state that is in. Every operation is a read-only transaction.

mod connection;
mod rows;
mod schema;

pub use connection::{Access, NoAccess, Server, Tables, connect};
pub use rows::UnreadableRows;
