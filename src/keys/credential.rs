//! What a new key leaves in its row, and what is left of the one before.

use rand::rngs::StdRng;

use crate::error::Error;
use crate::model::Plaintext;
use crate::random;
use crate::service::Service;
use crate::store::{Credential, PlaintextKey, ReplacedPlaintext};

/// Makes a new plaintext and what its row keeps of it.
pub(super) async fn issue(
    service: &Service,
    rng: &mut StdRng,
) -> Result<(Plaintext, Credential), Error> {
    let generated = service.tokens.generate(rng);
    let hash = service
        .hasher
        .hash(generated.plaintext.clone(), random::bytes(rng))
        .await?;
    let credential = Credential {
        hash,
        lookup: generated.lookup,
        start: generated.start,
        signing_key: service.tokens.keyring().signer().fingerprint().to_owned(),
    };
    Ok((generated.plaintext, credential))
}

/// The hash of a key that its row keeps in plaintext, for its grace period.
pub(super) async fn replaced_plaintext(
    service: &Service,
    id: &str,
    rng: &mut StdRng,
) -> Result<Option<ReplacedPlaintext>, Error> {
    let Some(PlaintextKey { key, digest, .. }) = service.store.plaintext_key(id).await? else {
        return Ok(None);
    };
    let hash = service.hasher.hash(key, random::bytes(rng)).await?;
    Ok(Some(ReplacedPlaintext { digest, hash }))
}
