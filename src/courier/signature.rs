//! Signatures by the Standard Webhooks specification, 1.0.0.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header `webhook-signature`: one signature for each secret. `timestamp` is in seconds since 1970.
#[must_use]
pub fn signatures(secrets: &[&[u8]], id: &str, timestamp: i64, body: &str) -> String {
    let signed = secrets.iter().filter_map(|secret| {
        let keyed = Hmac::<Sha256>::new_from_slice(secret).ok()?;
        let code = keyed.chain_update(format!("{id}.{timestamp}.{body}"));
        Some(format!(
            "v1,{}",
            BASE64_STANDARD.encode(code.finalize().into_bytes())
        ))
    });
    signed.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of the reference implementations.
    #[test]
    fn a_signature_is_that_of_the_specification() {
        let secret = BASE64_STANDARD
            .decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
            .unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let body = r#"{"test": 2432232314}"#;
        assert_eq!(signatures(&[&secret], id, 1_614_265_330, body), signature);
        assert_eq!(
            signatures(&[&secret, &secret], id, 1_614_265_330, body),
            format!("{signature} {signature}")
        );
    }
}
