//! Signing a token, and every check that needs no database.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::hs256;
use crate::error::Error;
use crate::model::Timestamp;

const TYPE: &str = "admin";
/// Bytes; a longer string is not a valid token.
pub const TOKEN_MAX: usize = 8 * 1024;

/// The claims. All but `sub` and `nbf` are required, in legacy tokens too. Times are `NumericDate`: seconds, perhaps
/// fractional.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    r#type: String,
    name: String,
    iat: serde_json::Number,
    exp: serde_json::Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<serde_json::Number>,
    /// The row's id; absent in legacy tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<Value>,
}

impl Claims {
    /// Whether the claims are valid at this time. A token must not be accepted on or after `exp` (RFC 7519, 4.1.4), nor
    /// before `nbf` (4.1.5).
    pub fn hold_at(&self, now: Timestamp) -> bool {
        #[expect(clippy::cast_precision_loss)]
        // Milliseconds of the years 1 to 9999 are exact in f64.
        let now = now.millis() as f64;
        let begun = self.nbf.as_ref().is_none_or(|nbf| millis(nbf) <= now);
        begun && now < millis(&self.exp)
    }

    /// Whether the claims name this row, or none.
    pub fn are_of(&self, id: &str) -> bool {
        self.sub.as_ref().is_none_or(|sub| sub == id)
    }
}

/// A value that is not a number becomes NaN, which makes every comparison false.
fn millis(date: &serde_json::Number) -> f64 {
    date.as_f64().map_or(f64::NAN, |seconds| seconds * 1_000.0)
}

pub fn sign(
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
        nbf: None,
        sub: Some(id.into()),
    };
    hs256::install();
    encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .map(Zeroizing::new)
    .map_err(|_| Error::internal("The admin token could not be signed"))
}

/// Returns the claims of a token that the secret signed with HS256. Whether they hold now is checked separately.
pub fn verify(secret: &str, token: &str) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    // The library's clock allows a leeway and reads whole seconds, so `hold_at` checks the times.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(secret.as_bytes());
    hs256::install();
    let decoded = decode::<Claims>(token, &key, &validation).ok()?;
    // No extension is understood, so none may be critical (RFC 7515, 4.1.11). RFC 7797, for one, changes what is
    // signed.
    let header = decoded.header;
    let is_plain = header.crit.is_none() && matches!(header.extras.get::<Value>("b64"), Ok(None));
    (is_plain && decoded.claims.r#type == TYPE).then_some(decoded.claims)
}
