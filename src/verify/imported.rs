//! Finds the rows of imported keys where their whole digest does not.

use std::sync::Arc;

use super::prove::{is_right, names_key};
use super::row::{FoundRow, RowQuery};
use crate::cached_key::KeyEntry;
use crate::error::Error;
use crate::hash::{ImportedHash, import_lookup};
use crate::legacy;
use crate::model::Plaintext;
use crate::service::Service;
use crate::store::Share;

/// The row of an imported key that is not found by its whole digest.
pub(super) async fn find_imported(
    service: &Arc<Service>,
    key: &Plaintext,
    known: Option<&Arc<KeyEntry>>,
) -> Result<Option<FoundRow>, Error> {
    for (form, dummy) in legacy::import_forms(service).await?.iter() {
        let Some(lookup) = import_lookup(form, key.expose()) else {
            continue;
        };
        let query = RowQuery {
            lookup: lookup.into(),
            digest: None,
        };
        let found = query.read(service, Share::Legacy).await?.0;
        if let Some(found) = found {
            if is_right(service, key, &query, known, &found.candidate).await? {
                return Ok(Some(found));
            }
        } else if known.is_none() && !names_key(form) {
            prove_nothing(service, key, dummy).await?;
        }
    }
    Ok(None)
}

/// Does the work that a row with another key would have cost.
async fn prove_nothing(service: &Service, key: &Plaintext, dummy: &str) -> Result<(), Error> {
    match ImportedHash::read(dummy) {
        Some(dummy) => service.hasher.is_imported(key, dummy, &[]).await.map(drop),
        None => Ok(()),
    }
}
