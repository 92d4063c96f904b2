//! Signing a token, and every check that needs no database.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::hs256;
use crate::error::Error;
use crate::model::Timestamp;

const TYPE: &str = "admin";
/// Bytes; a longer string is not a valid token.
pub const TOKEN_MAX: usize = 8 * 1024;

/// The header of a token that is signed here.
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;

/// What is read of a header (RFC 7515, 4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    crit: Option<IgnoredAny>,
    b64: Option<IgnoredAny>,
}

impl Header {
    /// Whether the algorithm is ours, and the header asks for no extension: none is understood, so none may be critical (RFC 7515,
    /// 4.1.11). RFC 7797, for one, changes what is signed.
    fn is_plain(&self) -> bool {
        self.alg == hs256::NAME && self.crit.is_none() && self.b64.is_none()
    }
}

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
    /// Random: a token that is made anew within a second must not be the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jti: Option<Value>,
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

    /// When they end, in milliseconds since 1970; that of a date that no clock reaches is the last one there is.
    pub fn ends_at_ms(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation)] // Saturates.
        let end = millis(&self.exp) as i64;
        end
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
    jti: String,
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
        jti: Some(jti.into()),
    };
    let unsigned = || Error::internal("The admin token could not be signed");
    let claims = serde_json::to_vec(&claims).map_err(|_| unsigned())?;
    let [header, claims] =
        [HEADER.as_bytes(), &claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let signature = hs256::sign(secret, &message).ok_or_else(unsigned)?;
    Ok(Zeroizing::new(format!("{message}.{signature}")))
}

/// No message of a JWT begins like this, so neither stands for the other.
const CONSOLE: &str = "sophra-api-keys/console-session/v1\n";

/// Authenticates a session of the console, which ends with the secret.
pub fn console_mac(secret: &str, random: &str) -> Option<String> {
    hs256::sign(secret, &format!("{CONSOLE}{random}"))
}

pub fn is_console_mac(secret: &str, random: &str, mac: &str) -> bool {
    hs256::is_signed(secret, &format!("{CONSOLE}{random}"), mac)
}

/// Returns the claims of a token that the secret signed with HS256. Whether they hold now is checked separately.
pub fn verify(secret: &str, token: &str) -> Option<Claims> {
    // The compact serialisation of RFC 7515, 3.1. Nothing is read before its signature is checked.
    let (message, signature) = token.rsplit_once('.')?;
    if !hs256::is_signed(secret, message, signature) {
        return None;
    }
    let (header, claims) = message.split_once('.')?;
    let header: Header = part(header)?;
    let claims: Claims = part(claims)?;
    (header.is_plain() && claims.r#type == TYPE).then_some(claims)
}

/// Whether the secret has signed this text, whatever it says.
pub fn is_signed(secret: &str, token: &str) -> bool {
    let parts = token.rsplit_once('.');
    parts.is_some_and(|(message, signature)| hs256::is_signed(secret, message, signature))
}

/// Why a stored token is refused, whatever its row permits; `None` if it is not.
pub fn fault(secret: &str, token: &str, now: Timestamp) -> Option<&'static str> {
    if token.len() > TOKEN_MAX {
        return Some("It is longer than 8 KiB");
    }
    match verify(secret, token) {
        Some(claims) if claims.hold_at(now) => None,
        Some(claims) if claims.ends_at_ms() <= now.millis() => Some("It has expired"),
        Some(_) => Some("It is not valid yet"),
        None if is_signed(secret, token) => Some(
            "It is signed, but no admin token: type must be admin, and it needs name, iat and exp",
        ),
        None => Some("JWT_SECRET has not signed it with HS256"),
    }
}

fn part<T: DeserializeOwned>(part: &str) -> Option<T> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}
