//! The cached state of an authenticated admin token.

use crate::cache;
use crate::jwt::Claims;
use crate::model::{AdminToken, Timestamp};

/// Capacity of the token cache. There are few tokens, and only a string with a valid signature gets into the cache.
pub const TOKEN_CACHE_CAPACITY: usize = 10_000;

/// An authenticated token. The outcome of a check is never cached: every use checks all rights again.
pub struct CachedToken {
    pub token: AdminToken,
    /// When it ends by its row: by its expiry, or by its grace period once it was replaced.
    pub ends_at: Option<Timestamp>,
    pub claims: Claims,
}

pub type TokenEntry = cache::Entry<CachedToken>;
pub type TokenCache = cache::Cache<CachedToken>;
