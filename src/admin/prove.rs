//! Whose token it is: by memory, or else by the signature and the database.

use std::sync::Arc;
use std::time::Instant;

use super::{AdminToken, jwt};
use crate::adoption;
use crate::cache::{self, Found, Row, Sequence};
use crate::error::Error;
use crate::model::{CredentialDigest, Timestamp};
use crate::service::Service;
use crate::store::StoredToken;

/// Tokens kept in memory. There are few, and who has none of them pays with a signature first.
pub const CACHE_CAPACITY: usize = 10_000;

/// What is kept of a token that was proved. Nothing about its rights is kept as allowed: all is checked at each use.
pub struct Proved {
    pub(super) token: AdminToken,
    pub(super) claims: jwt::Claims,
}

pub(super) type Entry = cache::Entry<Proved>;
pub type Cache = cache::Cache<Proved>;

/// A row that changes faster than it can be read.
const TRIES: usize = 5;

/// The entry of a token that is signed by the secret and has a row; `None` for any other string.
pub(super) async fn prove(
    service: &Arc<Service>,
    secret: &str,
    token: &str,
    now: Timestamp,
) -> Result<Option<Arc<Entry>>, Error> {
    if token.len() > jwt::TOKEN_MAX {
        return Ok(None);
    }
    let cache = &service.admin_tokens;
    let digest = cache.digest(token);
    match cache.find(&digest, Instant::now()) {
        Found::Current(entry) => return Ok(Some(entry)),
        Found::Refused => return Ok(None),
        Found::Stale(_) | Found::Nothing => {}
    }
    // Forgeries and what has expired end here, without I/O.
    let Some(claims) = jwt::verify(secret, token).filter(|claims| claims.hold_at(now)) else {
        return Ok(None);
    };
    let (found, read_at) = read(service, &CredentialDigest::of(token)).await?;
    let Some((stored, row)) = found else {
        cache.insert_refusal(digest, read_at, Instant::now());
        return Ok(None);
    };
    // In a token of ours, `sub` is the row. What it is in one of an old instance, nobody has said.
    let is_ours = stored.token.expires_at.is_some();
    if is_ours && !claims.are_of(&stored.token.id) {
        cache.insert_refusal(digest, read_at, Instant::now());
        return Ok(None);
    }
    if let Some(plaintext) = stored.plaintext {
        adoption::on_first_use_of_token(service, plaintext);
    }
    let proved = Proved {
        token: stored.token,
        claims,
    };
    Ok(Some(cache.insert(digest, proved, row, read_at)))
}

/// Reads the row as it is at one place in the changes: one that changed while it was read is read again.
async fn read(
    service: &Service,
    digest: &CredentialDigest,
) -> Result<(Option<(StoredToken, Arc<Row>)>, Sequence), Error> {
    for _ in 1..TRIES {
        let read_at = service.admin_tokens.sequence();
        let Some(stored) = service.store.find_admin_token(digest).await? else {
            return Ok((None, read_at));
        };
        if let Some(row) = service.admin_tokens.row(&stored.token.id, read_at) {
            return Ok((Some((stored, row)), read_at));
        }
    }
    Err(Error::unavailable(
        "The row of the admin token keeps changing while it is being read: try again",
    ))
}
