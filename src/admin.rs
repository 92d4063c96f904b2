//! Admin tokens: JWTs, each backed by a row that decides whether it is revoked and what it permits.

mod authenticate;
mod create;
mod input;
mod list;
mod revoke;
mod rotate;
mod verify;

pub use create::create;
pub use input::{AdminContext, NewToken, RotateToken, held_permissions, read_query, token_id};
pub use list::list;
pub use revoke::revoke;
pub use rotate::{TokenRotated, rotate};
pub use verify::{AdminVerification, verify};

/// Length of the longest string that can be an admin token, in bytes.
pub const TOKEN_LENGTH_MAX: usize = crate::jwt::TOKEN_MAX;
