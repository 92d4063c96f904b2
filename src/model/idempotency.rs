//! Idempotency keys: a creation that is repeated with the same one makes no second key
//! (draft-ietf-httpapi-idempotency-key-header).

use sha2::{Digest, Sha256};

use super::actor::Actor;
use super::key::ApiKey;

/// An idempotency key as it is stored: by digests, since both texts are the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The digest of the actor and the text: the same text of another actor is another key.
    pub digest: [u8; 32],
    /// The digest of the input that came with it.
    pub input: [u8; 32],
}

impl IdempotencyKey {
    /// `input` is the key that the input describes, before anything is generated or taken from the clock.
    #[must_use]
    pub fn new(text: &str, actor: Option<&Actor>, input: &ApiKey) -> Self {
        Self {
            digest: digest(&(actor.map(Actor::as_str), text)),
            input: digest(input),
        }
    }
}

fn digest(value: &impl serde::Serialize) -> [u8; 32] {
    // Serialising our own types to memory cannot fail.
    Sha256::digest(serde_json::to_vec(value).unwrap_or_default()).into()
}
