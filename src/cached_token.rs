//! The state that is kept of an authenticated admin token.

use crate::cache;
use crate::jwt::Claims;
use crate::model::AdminToken;

/// Tokens kept in memory. There are few, and a caller without one pays with a signature first.
pub const TOKEN_CACHE_CAPACITY: usize = 10_000;

/// An authenticated token. Nothing about its rights is kept as allowed: all is checked at each use.
pub struct CachedToken {
    pub token: AdminToken,
    pub claims: Claims,
}

pub type TokenEntry = cache::Entry<CachedToken>;
pub type TokenCache = cache::Cache<CachedToken>;
