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
mod idempotency;
mod keys;
mod legacy;
mod locked_rows;
mod parts;
mod pattern;
mod plaintext;
mod retry;
mod rotation;
mod schema;
mod signing_keys;
mod suspensions;
mod turns;
mod unconfirmed_keys;
mod usage;
mod verify;

pub use admin_tokens::StoredToken;
pub use change_log::{ChangedRows, LogPosition, LogRead};
pub use connection::{Circuit, NotificationListener, Share};
pub use doctor::{Access, Server, Tables, UnreadableRows, connect};
pub use handle::Store;
pub use health::Condition;
pub use idempotency::UsedIdempotencyKey;
pub use keys::ChangedKey;
pub use legacy::{DigestRange, PlaintextKey, PlaintextToken};
pub use locked_rows::LockedRows;
pub use parts::Parts;
pub use plaintext::{LostKey, PlaintextRows};
pub use rotation::{Credential, ReplacedPlaintext, Rotation};
pub use schema::{COLUMNS, Column, History, Migrated, TriggerFault, migrate, migration_script};
pub use suspensions::{Suspension, SuspensionOutcome};
pub use verify::{Candidate, StoredKey};
