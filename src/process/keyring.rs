//! Loads the signing keys.

use zeroize::Zeroizing;

use super::clock::now;
use crate::error::Error;
use crate::random;
use crate::self_check;
use crate::store::Store;
use crate::token::{Keyring, SigningKey};

/// The configured signing keys, or else the one stored in the database. It is an error if a signing key is missing that
/// active API keys depend on: all these API keys would be refused.
pub(super) async fn keyring(store: &Store, configured: Option<Keyring>) -> Result<Keyring, Error> {
    let keyring = match configured {
        Some(keyring) => {
            store
                .remember_signing_key(keyring.signer().fingerprint())
                .await?;
            keyring
        }
        None => kept_keyring(store).await?,
    };
    let held = keyring.fingerprints();
    let missing = store.missing_signing_keys(&held, now()).await?;
    if missing.is_empty() {
        return Ok(keyring);
    }
    Err(Error::configuration(self_check::missing_signing_keys(
        &missing,
    )))
}

async fn kept_keyring(store: &Store) -> Result<Keyring, Error> {
    const BYTES: usize = 32;
    let unusable = || Error::internal("The signing key stored in the database is invalid");
    let made = Zeroizing::new(random::bytes::<BYTES>(&mut random::generator()?));
    let candidate = SigningKey::new(*made).ok_or_else(unusable)?;
    let kept = store
        .kept_signing_key(&*made, candidate.fingerprint())
        .await?;
    SigningKey::new(&*kept)
        .and_then(|key| Keyring::new(vec![key]))
        .ok_or_else(unusable)
}
