//! The format of a key: generates keys, and detects junk and forgeries without I/O.
//!
//! `<prefix>_<live|test>_<lookup:12>_<secret:32><tag:8><crc:6>`, digits in base62. The crc catches typos, the tag
//! catches strings that were made without a signing key. Neither replaces the stored hash.

mod base62;
mod cold_digest;
mod format;
mod inspect;
mod keyring;
mod pepper;
mod shape;
mod tokens;

pub use cold_digest::DigestCheck;
pub use format::{KeyFormat, MAX_PREFIX_LENGTH, is_prefix};
pub use inspect::{Inspection, KeyOrigin, TagCheck, inspect, legacy_fault};
pub use keyring::{Keyring, MIN_SIGNING_KEY_BYTES, SigningKey};
pub use pepper::{Peppers, derive};
pub use shape::{MAX_LENGTH, MIN_LENGTH};
pub use tokens::{Generated, ParsedKey, Tokens};
