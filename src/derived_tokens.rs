//! Tokens that are derived from keys: derive, and the keys that sign them.

mod derive;
mod input;
mod signers;

pub use derive::{Derived, Verified, derive, derive_from_verified};
pub use input::DeriveOptions;
pub use signers::rotate;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::error::Error;
use crate::jwt::TokenPublicKey;
use crate::service::Service;

/// The public keys whose tokens may be accepted: of each its name, and the key as in a JWK (RFC 8037).
pub async fn public_keys(service: &Service) -> Result<Value, Error> {
    let keys = service.token_keys.list(&service.store).await?;
    let view = |(kid, key): &(Box<str>, TokenPublicKey)| json!({ "kid": kid, "x": BASE64_URL_SAFE_NO_PAD.encode(key.bytes()) });
    Ok(keys.iter().map(view).collect())
}

/// The ids of the keys with living tokens that may not be used any more.
pub async fn revoked_parents(service: &Service) -> Result<Value, Error> {
    service.token_keys.revoked_parents(&service.store).await
}
