//! Presented tokens (RFC 7519): admin tokens, signed with HS256, and tokens derived from keys, signed with EdDSA.

mod derived;
mod eddsa;
mod hs256;
mod token;

pub use derived::{DerivedClaims, RESERVED_CLAIMS, kid_of, sign_derived, verify_derived};
pub use eddsa::{SEED_BYTES, TokenPublicKey, TokenSigner};
pub use token::{Claims, TOKEN_MAX, console_mac, fault, is_console_mac, is_signed, sign, verify};
