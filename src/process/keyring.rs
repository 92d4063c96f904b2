//! Loads the signing keys.

use zeroize::Zeroizing;

use crate::error::Error;
use crate::random;
use crate::self_check;
use crate::store::{KnownSigningKeys, Store};
use crate::token::{Keyring, SigningKey};

/// The configured signing keys, or else the one stored in the database. It is an error if a signing key is missing that
/// active API keys depend on: all these API keys would be refused.
pub(super) async fn keyring(
    store: &Store,
    configured: Option<Keyring>,
    known: KnownSigningKeys,
) -> Result<Keyring, Error> {
    if !known.missing.is_empty() {
        let missing = self_check::missing_signing_keys(&known.missing);
        return Err(Error::configuration(missing));
    }
    match (configured, known.kept) {
        (Some(keyring), _) => {
            let signer = keyring.signer().fingerprint();
            if !known.fingerprints.iter().any(|known| known == signer) {
                store.remember_signing_key(signer).await?;
            }
            Ok(keyring)
        }
        (None, Some(kept)) => of_kept(&kept),
        (None, None) => of_kept(&made_key(store).await?),
    }
}

/// Makes the key that is stored in the database. Of several processes that do so at once, all get the same.
async fn made_key(store: &Store) -> Result<Zeroizing<Vec<u8>>, Error> {
    const BYTES: usize = 32;
    let made = Zeroizing::new(random::bytes::<BYTES>(&mut random::generator()?));
    let candidate = SigningKey::new(*made).ok_or_else(unusable)?;
    store
        .kept_signing_key(&*made, candidate.fingerprint())
        .await
}

fn of_kept(kept: &[u8]) -> Result<Keyring, Error> {
    SigningKey::new(kept)
        .and_then(|key| Keyring::new(vec![key]))
        .ok_or_else(unusable)
}

fn unusable() -> Error {
    Error::internal("The signing key stored in the database is invalid")
}
