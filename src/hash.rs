//! Argon2id (RFC 9106) of keys, and the hashes of imported ones, on a pool: never more at once than permits, and no queue
//! longer than a caller would wait for.
//!
//! Keys carry 190 random bits, so this is defence in depth against a stolen database.

mod hasher;
mod imported;
mod pool;
mod record;
mod scrypt;

pub use hasher::{Hasher, Proof, SALT_BYTES};
pub use imported::{Algorithm, ImportedHash, import_lookup, is_imported, is_stored_hash};
pub use pool::{HashStats, Reservation};
