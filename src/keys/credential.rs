//! The credential that a new key stores in its row, and the hash of the key that it replaces.

use rand::rngs::StdRng;

use crate::error::Error;
use crate::hash::is_stored_hash;
use crate::model::{KeyClass, Plaintext};
use crate::random;
use crate::service::Service;
use crate::store::{Credential, PlaintextKey, ReplacedPlaintext};

/// Generates a plaintext key and the credential to store for it.
pub(super) async fn issue(
    service: &Service,
    class: KeyClass,
    rng: &mut StdRng,
) -> Result<(Plaintext, Credential), Error> {
    let generated = service.tokens.generate(class, rng);
    let hash = service
        .hasher
        .hash(generated.plaintext.clone(), random::bytes(rng))
        .await?;
    let credential = Credential {
        cold_digest: service.cold_digests.digest(&generated.plaintext, &hash),
        hash,
        lookup: generated.lookup,
        start: generated.start,
        signing_key: service.tokens.keyring().signer().fingerprint().to_owned(),
    };
    Ok((generated.plaintext, credential))
}

/// Hashes the key that is being replaced if its row holds it in plaintext, so that it stays valid for its grace period.
pub(super) async fn replaced_plaintext(
    service: &Service,
    id: &str,
    rng: &mut StdRng,
) -> Result<Option<ReplacedPlaintext>, Error> {
    let Some(PlaintextKey { key, digest, .. }) = service.store.plaintext_key(id).await? else {
        return Ok(None);
    };
    // A hash that has lost its lookup: nobody knows the key.
    if is_stored_hash(key.expose()) {
        return Ok(None);
    }
    let hash = service.hasher.hash(key.clone(), random::bytes(rng)).await?;
    Ok(Some(ReplacedPlaintext {
        digest,
        cold_digest: service.cold_digests.digest(&key, &hash),
        hash,
    }))
}
