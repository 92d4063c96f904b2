//! The cached state of an authenticated admin token.

use crate::cache;
use crate::jwt::Claims;
use crate::model::AdminToken;

/// The number of cached tokens. There are few, and an attacker must first present a valid signature.
pub const TOKEN_CACHE_CAPACITY: usize = 10_000;

/// An authenticated token. Its permissions are never cached as granted: they are checked at each use.
pub struct CachedToken {
    pub token: AdminToken,
    pub claims: Claims,
}

pub type TokenEntry = cache::Entry<CachedToken>;
pub type TokenCache = cache::Cache<CachedToken>;
