//! Finds the row of a presented key.

use std::sync::Arc;

use super::memory::KeyLookup;
use super::scopes::roles_of_rows;
use crate::cache::{Row, Sequence};
use crate::cached_clients::CachedClient;
use crate::cached_roles::KeyRoles;
use crate::error::Error;
use crate::model::{CredentialDigest, Plaintext};
use crate::service::Service;
use crate::store::{Candidate, Share};

/// A row that the presented key may belong to, and the position in the sequence of changes at which it was read.
pub(super) struct FoundRow {
    pub(super) candidate: Candidate,
    pub(super) client: CachedClient,
    pub(super) roles: KeyRoles,
    pub(super) row: Arc<Row>,
    pub(super) read_at: Sequence,
}

/// The values to find a row by.
pub(super) struct RowQuery {
    pub(super) lookup: Box<str>,
    /// The digest of a key whose row may hold plaintext.
    pub(super) digest: Option<CredentialDigest>,
}

impl RowQuery {
    pub(super) fn of(lookup: &KeyLookup<Box<str>>, key: &Plaintext) -> Self {
        match lookup {
            KeyLookup::Issued(lookup, _) => Self {
                lookup: lookup.clone(),
                digest: None,
            },
            KeyLookup::Legacy => {
                let digest = CredentialDigest::of(key.expose());
                Self {
                    lookup: digest.lookup().into(),
                    digest: Some(digest),
                }
            }
            // The row of a token is found by the id of its key, once the token is proved.
            KeyLookup::Token(_) => Self {
                lookup: Box::default(),
                digest: None,
            },
        }
    }

    /// Reads the row, and answers from which position in the sequence of changes on it was read, or was not there.
    pub(super) async fn read(
        &self,
        service: &Service,
        share: Share,
    ) -> Result<(Option<FoundRow>, Sequence), Error> {
        let digest = self.digest.as_ref();
        let read = || async move {
            let read_at = (service.clients.sequence(), service.roles.sequence());
            let found = service.store.find_candidate(&self.lookup, digest, share);
            Ok(found.await?.map(|candidate| (candidate, read_at)))
        };
        let read_row = service
            .cache
            .read_row(read, |(candidate, _)| &candidate.policy.key_id);
        let (found, read_at) = read_row.await?;
        let found = found.map(|((mut candidate, (client_read_at, roles_read_at)), row)| {
            let policies = candidate.take_client_policies();
            let client_id = &candidate.policy.client_id;
            let roles = std::mem::take(&mut candidate.roles);
            FoundRow {
                roles: roles_of_rows(service, roles, roles_read_at),
                client: service.clients.read(client_id, policies, client_read_at),
                candidate,
                row,
                read_at,
            }
        });
        Ok((found, read_at))
    }
}
