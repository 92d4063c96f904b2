//! Authenticates an admin token: from memory, otherwise by its signature and the database.

use std::sync::Arc;
use std::time::Instant;

use crate::cache::CacheLookup;
use crate::cached_token::{CachedToken, TokenEntry};
use crate::error::Error;
use crate::jwt;
use crate::legacy;
use crate::model::{CredentialDigest, Timestamp};
use crate::service::Service;

/// The entry of a token that is signed with the secret and has a row; `None` for any other string.
pub(super) async fn authenticate(
    service: &Arc<Service>,
    secret: &str,
    token: &str,
    now: Timestamp,
) -> Result<Option<Arc<TokenEntry>>, Error> {
    if token.len() > jwt::TOKEN_MAX {
        return Ok(None);
    }
    let cache = &service.admin_tokens;
    let key = cache.key(token);
    match cache.find(&key, service.moment()) {
        CacheLookup::Current(entry) => return Ok(Some(entry)),
        CacheLookup::Refused => return Ok(None),
        CacheLookup::Stale(_) | CacheLookup::Miss => {}
    }
    // Forged and expired tokens end here, without I/O.
    let Some(claims) = jwt::verify(secret, token).filter(|claims| claims.hold_at(now)) else {
        return Ok(None);
    };
    let token_digest = CredentialDigest::of(token);
    let (found, read_at) = cache
        .read_row(
            || service.store.find_admin_token(&token_digest),
            |stored| &stored.token.id,
        )
        .await?;
    let Some((stored, row)) = found else {
        cache.insert_refusal(key, read_at, Instant::now());
        return Ok(None);
    };
    // In a token that this package issued, `sub` is the id of its row. In a legacy token it may be anything.
    let is_ours = stored.expires_at.is_some();
    if is_ours && !claims.are_of(&stored.token.id) {
        cache.insert_refusal(key, read_at, Instant::now());
        return Ok(None);
    }
    if let Some(plaintext) = stored.plaintext {
        legacy::hash_token_on_first_use(service, plaintext);
    }
    let bytes = stored.token.bytes() + token.len();
    let ends_at = [stored.expires_at, stored.grace_ends_at];
    let authenticated = CachedToken {
        token: stored.token,
        ends_at: ends_at.into_iter().flatten().min(),
        claims,
    };
    Ok(Some(cache.insert(key, authenticated, bytes, row, read_at)))
}
