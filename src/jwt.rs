//! Presented admin tokens: JWTs (RFC 7519) signed with HS256.

mod hs256;
mod token;

pub use token::{Claims, TOKEN_MAX, sign, verify};
