//! What every verify does with texts and bytes.
//!
//! The addon is compiled for size, and these few functions for speed: a crate is the smallest part that can be. Nothing in it is
//! generic, since what is generic is compiled where it is used.
#![forbid(unsafe_code)]

mod address;
pub mod base62;
mod bytes;
mod checksum;
mod digest;
mod mac;
mod scope;
mod sealed;
mod text;

pub use address::{CLIENT_ADDRESS_MAX, parse_client_address};
pub use checksum::{CHECKSUM_DIGITS, checksum};
pub use digest::KeyedDigest;
pub use mac::{MacKey, TAG_DIGITS};
pub use scope::{are_scopes, covers, is_scope};
pub use sealed::{Message, Numbers, Sealer};
pub use text::{encode_utf16, is_graphic, split_once};
