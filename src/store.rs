//! All SQL: one statement per function, checked against the schema at compile time. Rows are private; models are
//! returned.

mod admin_tokens;
mod audit;
mod change_log;
mod connection;
mod doctor;
mod encoding;
mod handle;
mod health;
mod keys;
mod legacy;
mod locked_rows;
mod retry;
mod rotation;
mod schema;
mod signing_keys;
mod suspensions;
mod usage;
mod verify;

pub use admin_tokens::StoredToken;
pub use change_log::{ChangedRows, LogPosition, LogRead};
pub use connection::{Circuit, NotificationListener, Share};
pub use doctor::{Access, NoAccess, Server, Tables, UnreadableRows, connect};
pub use handle::Store;
pub use health::Condition;
pub use keys::ChangedKey;
pub use legacy::{DigestRange, PlaintextKey, PlaintextToken};
pub use locked_rows::LockedRows;
pub use rotation::{Credential, ReplacedPlaintext, Rotation};
pub use schema::{
    COLUMNS, Column, History, Migrated, TRIGGERS, Trigger, migrate, migration_script,
};
pub use suspensions::{Suspension, SuspensionOutcome};
pub use usage::StoredBatch;
pub use verify::{Candidate, StoredKey};
