//! The token itself: signing, and checking all that needs no database.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::hs256;
use crate::error::Error;
use crate::model::Timestamp;

const TYPE: &str = "admin";
/// Bytes; a longer string is nobody's token.
pub const TOKEN_MAX: usize = 8 * 1024;

/// All but `sub` and `nbf` are required, of tokens of old instances too. Times are `NumericDate`: seconds, perhaps
/// fractional.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    r#type: String,
    name: String,
    iat: serde_json::Number,
    exp: serde_json::Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<serde_json::Number>,
    /// The row's id, in tokens of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sub: Option<Value>,
}

impl Claims {
    /// RFC 7519: on or after `exp` the token must not be accepted (4.1.4), nor before `nbf` (4.1.5).
    pub fn hold_at(&self, now: Timestamp) -> bool {
        #[expect(clippy::cast_precision_loss)]
        // Milliseconds of the years 1 to 9999 are exact in f64.
        let now = now.millis() as f64;
        let begun = self.nbf.as_ref().is_none_or(|nbf| millis(nbf) <= now);
        begun && now < millis(&self.exp)
    }

    /// Whether the token names this row, or none.
    pub fn are_of(&self, id: &str) -> bool {
        self.sub.as_ref().is_none_or(|sub| sub == id)
    }
}

/// What is no number makes every comparison false.
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

/// The claims of a token that is signed by the secret with HS256. Whether they hold now is another question.
pub fn verify(secret: &str, token: &str) -> Option<Claims> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_aud = false;
    // The library's clock allows a leeway and reads whole seconds: ours is above.
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(secret.as_bytes());
    hs256::install();
    let decoded = decode::<Claims>(token, &key, &validation).ok()?;
    // RFC 7515, 4.1.11: we understand no extension, so none may be critical. RFC 7797 is one that changes what is signed.
    let header = decoded.header;
    let is_plain = header.crit.is_none() && matches!(header.extras.get::<Value>("b64"), Ok(None));
    (is_plain && decoded.claims.r#type == TYPE).then_some(decoded.claims)
}
