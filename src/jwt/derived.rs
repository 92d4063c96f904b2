//! Tokens that are derived from keys: JWTs signed with EdDSA. All of them are signed here, so that nothing of another form is one.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::eddsa::{TokenPublicKey, TokenSigner};
use super::token::TOKEN_MAX;
use crate::model::{HeldScopes, Metadata, Timestamp};

/// The header of a token, but for the name of its key between the two.
const HEADER: [&str; 2] = [r#"{"alg":"EdDSA","kid":""#, r#""}"#];
/// Characters of the name of a key: a UUID.
const KID_LENGTH: usize = 36;
/// Characters of a signature.
const SIGNATURE_LENGTH: usize = 86;

/// The claims that say what a token is good for. Callers add only others.
pub const RESERVED_CLAIMS: [&str; 9] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "client_id",
    "scope",
];

/// What a token says that was signed here.
#[derive(Debug, Clone)]
pub struct DerivedClaims {
    /// The id of the key that it was derived from.
    pub key_id: Box<str>,
    pub scopes: Arc<HeldScopes>,
    pub expires_at: Timestamp,
    pub audience: Option<Box<str>>,
    /// All claims.
    pub all: Box<Metadata>,
}

impl DerivedClaims {
    /// The memory of its texts, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        // Those of the scopes are counted with all that the key holds.
        self.all.as_str().len()
    }

    fn read(json: &[u8]) -> Option<Self> {
        let all: Value = serde_json::from_slice(json).ok()?;
        let scopes = all["scope"].as_str()?.split(' ');
        let scopes = scopes.filter(|scope| !scope.is_empty()).map(str::to_owned);
        Some(Self {
            key_id: all["sub"].as_str()?.into(),
            scopes: Arc::new(HeldScopes::new(scopes.collect())),
            expires_at: Timestamp::from_millis(all["exp"].as_i64()?.saturating_mul(1_000)),
            audience: all["aud"].as_str().map(Into::into),
            all: Box::new(Metadata::from(&all)),
        })
    }
}

/// Signs a token. `None` if it would be too long to be accepted.
#[must_use]
pub fn sign_derived(signer: &TokenSigner, claims: Map<String, Value>) -> Option<Zeroizing<String>> {
    let header = HEADER.join(&signer.kid);
    let claims = Value::Object(claims).to_string();
    let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
    let message = format!("{header}.{claims}");
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signer.sign(&message));
    let token = Zeroizing::new(format!("{message}.{signature}"));
    (token.len() <= TOKEN_MAX).then_some(token)
}

/// The name of the key that has signed a token, as it says itself; `None` for a text that has not the form of a token.
#[must_use]
pub fn kid_of(token: &str) -> Option<Box<str>> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let is_digit = |digit: u8| digit.is_ascii_alphanumeric() || b"-_".contains(&digit);
    if signature.len() != SIGNATURE_LENGTH || !signature.bytes().chain(claims.bytes()).all(is_digit)
    {
        return None;
    }
    let header = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let kid = header.strip_prefix(HEADER[0])?.strip_suffix(HEADER[1])?;
    let is_of_kid = |digit: u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f' | b'-');
    (kid.len() == KID_LENGTH && kid.bytes().all(is_of_kid)).then(|| kid.into())
}

/// The claims of a token that this key has signed. Whether they hold now is checked separately.
#[must_use]
pub fn verify_derived(token: &str, key: &TokenPublicKey) -> Option<DerivedClaims> {
    let (message, signature) = token.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !key.is_signed(message, &signature) {
        return None;
    }
    let (_, claims) = message.split_once('.')?;
    DerivedClaims::read(&BASE64_URL_SAFE_NO_PAD.decode(claims).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KID: &str = "0123abcd-0000-4000-8000-000000000000";

    #[test]
    fn a_token_is_read_as_it_was_signed_and_any_change_is_noticed() {
        let signer = TokenSigner::new(KID, &[7; 32]).unwrap();
        let key = TokenPublicKey::new(signer.public()).unwrap();
        let claims = serde_json::json!({ "sub": "k", "scope": "a b", "exp": 5, "aud": "x" });
        let Value::Object(claims) = claims else {
            unreachable!()
        };
        let token = sign_derived(&signer, claims).unwrap();
        assert_eq!(kid_of(&token).as_deref(), Some(KID));
        let read = verify_derived(&token, &key).unwrap();
        assert_eq!((&*read.key_id, read.scopes.iter().count()), ("k", 2));
        assert_eq!(read.expires_at.millis(), 5_000);
        assert_eq!(read.audience.as_deref(), Some("x"));
        for at in 0..token.len() {
            let other = if token.as_bytes()[at] == b'A' {
                "B"
            } else {
                "A"
            };
            let mut changed = token.to_string();
            changed.replace_range(at..=at, other);
            let is_accepted = kid_of(&changed).is_some_and(|kid| &*kid == KID)
                && verify_derived(&changed, &key).is_some();
            assert!(!is_accepted, "{at}");
        }
        let stranger = TokenSigner::new(KID, &[8; 32]).unwrap();
        let key = TokenPublicKey::new(stranger.public()).unwrap();
        assert!(verify_derived(&token, &key).is_none());
    }
}
