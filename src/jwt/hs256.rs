//! HS256 (RFC 7518, 3.2): HMAC with SHA-256.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The algorithm, as a header names it.
pub(super) const NAME: &str = "HS256";

/// The signature of the message, as base64url.
pub(super) fn sign(secret: &str, message: &str) -> Option<String> {
    let mac = mac(secret, message)?.finalize().into_bytes();
    Some(BASE64_URL_SAFE_NO_PAD.encode(mac))
}

/// Whether the signature is that of the message. Compares in constant time.
pub(super) fn is_signed(secret: &str, message: &str, signature: &str) -> bool {
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature);
    let mac = mac(secret, message);
    mac.zip(signature.ok())
        .is_some_and(|(mac, signature)| mac.verify_slice(&signature).is_ok())
}

fn mac(secret: &str, message: &str) -> Option<Hmac<Sha256>> {
    let keyed = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    Some(keyed.chain_update(message))
}
