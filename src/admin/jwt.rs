//! The token itself: signing, and checking all that needs no database.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::model::Timestamp;

const TYPE: &str = "admin";
/// Bytes; a longer string is nobody's token.
pub const TOKEN_MAX: usize = 8 * 1024;

/// All but `sub` are required, of tokens of old instances too. Times are `NumericDate`: seconds, perhaps fractional.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Claims {
    r#type: String,
    name: String,
    iat: serde_json::Number,
    exp: serde_json::Number,
    /// The row's id, in tokens of ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
}

pub(super) fn sign(
    secret: &str,
    id: &str,
    name: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<Zeroizing<String>, Error> {
    let claims = Claims {
        r#type: TYPE.into(),
        name: name.into(),
        iat: now.millis().div_euclid(1_000).into(),
        exp: expires_at.millis().div_euclid(1_000).into(),
        sub: Some(id.into()),
    };
    encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .map(Zeroizing::new)
    .map_err(|_| Error::Internal("The admin token could not be signed".into()))
}

/// The claims of a token that is signed by the secret with HS256 and has not expired.
pub(super) fn verify(secret: &str, token: &str, now: Timestamp) -> Option<Claims> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    // The library's clock allows a leeway and reads whole seconds: ours is below.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(secret.as_bytes());
    let claims = decode::<Claims>(token, &key, &validation).ok()?.claims;
    // RFC 7519, 4.1.4: on or after `exp` the token must not be accepted.
    #[expect(clippy::cast_precision_loss)] // Milliseconds of the years 1 to 9999 are exact in f64.
    let expired = claims.exp.as_f64()? * 1_000.0 <= now.millis() as f64;
    (claims.r#type == TYPE && !expired).then_some(claims)
}
