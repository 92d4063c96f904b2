//! Derives a token from a key: it permits no more than the key, and lives no longer.

use std::sync::Arc;

use serde_json::json;
use zeroize::Zeroizing;

use super::input::DeriveOptions;
use super::signers::{require_secret, signer};
use crate::error::{Error, Issue};
use crate::jwt::{kid_of, sign_derived};
use crate::model::{Plaintext, Refusal, Timestamp, is_scope};
use crate::random;
use crate::service::Service;
use crate::verify::{
    KEY_LENGTH_MAX, Parent, RefusedKey, Verification, VerifyContext, parent_of, verify,
};

/// How often the key that signs may be replaced before its token is known of.
const TRIES: usize = 5;

pub enum Derived {
    Token {
        token: Zeroizing<String>,
        expires_at: Timestamp,
    },
    Refused(RefusedKey),
}

/// Derives a token from a presented key. That is a use of the key.
pub async fn derive(
    service: &Arc<Service>,
    key: Plaintext,
    options: DeriveOptions,
) -> Result<Derived, Error> {
    require_secret(service)?;
    if key.expose().len() > KEY_LENGTH_MAX && kid_of(key.expose()).is_some() {
        return Err(of_token());
    }
    let entry = match verify(service, key, &VerifyContext::UNKNOWN).await? {
        Verification::Valid { entry, .. } => entry,
        Verification::Refused(refused) => return Ok(Derived::Refused(refused)),
    };
    let parent = Parent::of_entry(&entry).ok_or_else(of_token)?;
    sign(service, &parent, options).await
}

/// A verification of this process: of which key, and when it ends.
pub struct Verified {
    pub key_id: String,
    pub key_number: i64,
    pub until: Option<Timestamp>,
}

/// Derives a token from a key that was verified before.
pub async fn derive_from_verified(
    service: &Arc<Service>,
    verified: &Verified,
    options: DeriveOptions,
) -> Result<Derived, Error> {
    require_secret(service)?;
    match parent_of(service, &verified.key_id, verified.key_number).await? {
        Ok(mut parent) => {
            parent.ends_at = parent.ends_at.into_iter().chain(verified.until).min();
            sign(service, &parent, options).await
        }
        Err(refused) => Ok(Derived::Refused(refused)),
    }
}

async fn sign(
    service: &Service,
    parent: &Parent,
    options: DeriveOptions,
) -> Result<Derived, Error> {
    let scopes = scopes_of(parent, options.scopes)?;
    let now = service.now();
    let issued_at = now.whole_seconds();
    let ends = parent.ends_at.map(Timestamp::whole_seconds).into_iter();
    let wanted = issued_at.plus_seconds(options.ttl_seconds);
    let expires_at = ends.chain([wanted]).min().unwrap_or(wanted);
    if expires_at <= now {
        return Ok(Derived::Refused(RefusedKey::bare(Refusal::Expired, None)));
    }
    let mut claims = options.claims;
    let seconds = |at: Timestamp| json!(at.millis().div_euclid(1_000));
    claims.insert("sub".into(), json!(&*parent.key_id));
    claims.insert("client_id".into(), json!(parent.client_id));
    claims.insert("scope".into(), json!(scopes));
    claims.insert("iat".into(), seconds(issued_at));
    claims.insert("exp".into(), seconds(expires_at));
    claims.insert("jti".into(), json!(random::id(&mut random::generator()?)));
    if let Some(audience) = options.audience {
        claims.insert("aud".into(), json!(audience));
    }
    for _ in 0..TRIES {
        let signer = signer(service).await?;
        let token = sign_derived(&signer, claims.clone()).ok_or_else(too_long)?;
        let noted = service
            .store
            .note_token(&parent.key_id, &signer.kid, expires_at);
        if noted.await? {
            service.metrics.derived_tokens.add(1);
            return Ok(Derived::Token { token, expires_at });
        }
        service.token_keys.set_signer(None);
    }
    Err(Error::OVERLOADED)
}

/// The scopes of a token, separated by blanks: those that are asked for, or all of its key. Another writer may have stored scopes with
/// blanks, which would be several here.
fn scopes_of(parent: &Parent, asked: Option<Vec<String>>) -> Result<String, Error> {
    let Some(asked) = asked else {
        let scopes = parent.scopes.list();
        let scopes = scopes.iter().map(String::as_str);
        return Ok(joined(scopes.filter(|scope| is_scope(scope))));
    };
    let beyond = asked.iter().enumerate();
    let beyond = beyond.filter(|(_, scope)| !parent.scopes.holds(scope));
    Error::of_issues(
        beyond
            .map(|(index, _)| issue(&format!("scopes[{index}]"), "must be held by the key"))
            .collect(),
    )?;
    Ok(joined(asked.iter().map(String::as_str)))
}

fn joined<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    let mut each: Vec<&str> = Vec::new();
    for scope in scopes {
        if !each.contains(&scope) {
            each.push(scope);
        }
    }
    each.join(" ")
}

fn issue(path: &str, message: &str) -> Issue {
    Issue {
        path: path.to_owned(),
        message: message.to_owned(),
    }
}

fn of_token() -> Error {
    Error::InvalidInput(vec![issue(
        "key",
        "must be a key, or the verification of one: no token is derived from a token",
    )])
}

fn too_long() -> Error {
    Error::InvalidInput(vec![issue(
        "",
        "is too large for a token, which has at most 8,192 characters: give it fewer scopes or claims",
    )])
}
