//! Admin tokens as they are presented: JWTs (RFC 7519) signed with HS256.

mod hs256;
mod token;

pub use token::{Claims, TOKEN_MAX, sign, verify};
