//! The seals of a configuration.

use crate::cold_digests::signing_keys;
use crate::config::Config;
use crate::seal::Seals;
use crate::token::{SigningKey, derive};

const OF_SIGNING_KEY: &[u8] = b"sophra-api-keys seal v1";
const OF_SECRET: &[u8] = b"sophra-api-keys seal of a secret v1";

/// Seals under the signing keys of the environment, without those that the database holds or held (`exposed`): what is sealed must
/// not lie beside its key. If there are none, under the secret of the admin tokens, which opens what was sealed before there were any.
#[must_use]
pub fn choose_seals(config: &Config, exposed: &[String]) -> Seals {
    let (_, own) = signing_keys(config, exposed);
    let derived = |key: &SigningKey| key.derive(OF_SIGNING_KEY);
    let mut keys: Vec<_> = own.into_iter().map(derived).collect();
    if let Ok(secret) = &config.jwt_secret {
        keys.extend(derive(secret.expose().as_bytes(), OF_SECRET));
    }
    Seals::new(&keys)
}
