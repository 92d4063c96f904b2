//! Chooses the peppers of the cold digests.

use crate::cold_digests::{ChosenPeppers, choose_peppers};
use crate::config::Config;
use crate::error::Error;
use crate::store::Store;

/// The peppers of the configuration, and what operators should know about them.
pub(super) async fn peppers(store: &Store, config: &Config) -> Result<ChosenPeppers, Error> {
    let exposed = match &config.signing_keys {
        Some(keyring) if config.cold_digest => {
            store.exposed_signing_keys(&keyring.fingerprints()).await?
        }
        _ => Vec::new(),
    };
    Ok(choose_peppers(config, &exposed))
}
