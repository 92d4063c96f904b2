//! Argon2id (RFC 9106) of keys, on a pool: never more hashes at once than permits, and no queue longer than a caller
//! would wait for.
//!
//! Keys carry 190 random bits, so this is defence in depth against a stolen database.

mod hasher;
mod pool;
mod record;

pub use hasher::{Hasher, Proof, SALT_BYTES};
pub use pool::{HashStats, Reservation};
pub use record::is_stored_hash;
