//! A cold verify: whose key it is, by the database and the hash.

use std::sync::Arc;
use std::time::Instant;

use super::{Entry, Lookup, Presented, Proved};
use crate::adoption;
use crate::cache::{Digest, Found, Row, Sequence};
use crate::error::Error;
use crate::hash::{Phc, Proof};
use crate::model::{CredentialDigest, Grant};
use crate::random;
use crate::service::Service;
use crate::shown::Shown;
use crate::store::{Candidate, StoredKey};
use crate::token::Plaintext;

/// What a flight brings back: the entry of a key that is right, and where in the changes it was read.
#[derive(Clone)]
pub(super) struct Outcome {
    entry: Option<Arc<Entry>>,
    read_at: Sequence,
}

/// Rows that change faster than they can be read are answered as they were read last.
const TRIES: usize = 5;

/// Proves a key that memory cannot answer for. All who present it at the same time share one flight; who came after
/// a change does not take an answer from before it.
pub(super) async fn prove(
    service: &Arc<Service>,
    presented: Presented,
) -> Result<Option<Arc<Entry>>, Error> {
    for _ in 1..TRIES {
        let asked_at = service.cache.sequence();
        let outcome = service.flights.join(service, &presented).await?;
        let fresh = match &outcome.entry {
            Some(entry) => service.cache.is_current(entry),
            None => outcome.read_at >= asked_at,
        };
        if fresh {
            return Ok(outcome.entry);
        }
    }
    Ok(service.flights.join(service, &presented).await?.entry)
}

/// One flight: one statement, and a hash only where nothing proved the key before.
pub(super) async fn fly(service: &Arc<Service>, presented: Presented) -> Result<Outcome, Error> {
    let Presented {
        digest,
        lookup,
        key,
    } = presented;
    let known = match service.cache.find(&digest, Instant::now()) {
        // Another flight has landed since memory was asked.
        Found::Current(entry) => {
            return Ok(Outcome {
                read_at: entry.read_at(),
                entry: Some(entry),
            });
        }
        Found::Stale(entry) => Some(entry),
        Found::Refused | Found::Nothing => None,
    };
    let sought = Sought::of(&lookup, &key);
    let (found, read_at) = read(service, &sought).await?;
    let Some((candidate, row)) = found else {
        if known.is_none() && matches!(lookup, Lookup::Issued(_)) {
            // As much work as for a known lookup, so that the time does not tell which ids exist.
            service.hasher.dummy(key).await?;
        }
        return Ok(refused(service, digest, read_at));
    };
    let right = match &candidate.stored {
        StoredKey::Plaintext(stored) => sought.digest.is_some_and(|digest| digest.is(stored)),
        StoredKey::Hash(hash)
            if known
                .as_ref()
                .is_some_and(|it| it.value.was_proved_by(hash)) =>
        {
            true
        }
        StoredKey::Hash(hash) => is_right(service, &key, hash, &candidate).await?,
    };
    if !right {
        return Ok(refused(service, digest, read_at));
    }
    if let StoredKey::Plaintext(digest) = &candidate.stored {
        adoption::on_first_use(service, &candidate.grant.key_id, &key, *digest);
    }
    let grant = Grant {
        key_id: Arc::clone(&row.key_id),
        ..candidate.grant
    };
    let told_apart = service.config.metrics_clients;
    let client = Shown::new(&grant.client_id);
    let uses = service.metrics.clients.uses_of(client.as_str(), told_apart);
    let proved = Proved::new(grant, &candidate.stored, uses);
    let entry = service.cache.insert(digest, proved, row, read_at);
    Ok(Outcome {
        entry: Some(entry),
        read_at,
    })
}

/// What the database is asked for.
struct Sought {
    lookup: Box<str>,
    /// Of a key that may be kept in plaintext.
    digest: Option<CredentialDigest>,
}

impl Sought {
    fn of(lookup: &Lookup<Box<str>>, key: &Plaintext) -> Self {
        match lookup {
            Lookup::Issued(lookup) => Self {
                lookup: lookup.clone(),
                digest: None,
            },
            Lookup::Adopted => {
                let digest = CredentialDigest::of(key.expose());
                Self {
                    lookup: digest.lookup().into(),
                    digest: Some(digest),
                }
            }
        }
    }
}

fn refused(service: &Service, digest: Digest, read_at: Sequence) -> Outcome {
    service
        .cache
        .insert_refusal(digest, read_at, Instant::now());
    Outcome {
        entry: None,
        read_at,
    }
}

/// Reads the row as it is at one place in the changes: one that changed while it was read is read again.
async fn read(
    service: &Service,
    sought: &Sought,
) -> Result<(Option<(Candidate, Arc<Row>)>, Sequence), Error> {
    for _ in 1..TRIES {
        let read_at = service.cache.sequence();
        let candidate = service
            .store
            .find_candidate(&sought.lookup, sought.digest.as_ref())
            .await?;
        let Some(candidate) = candidate else {
            return Ok((None, read_at));
        };
        if let Some(row) = service.cache.row(&candidate.grant.key_id, read_at) {
            return Ok((Some((candidate, row)), read_at));
        }
    }
    Err(Error::unavailable(
        "The row of the key keeps changing while it is being read: try again",
    ))
}

/// Whether the presented key is the row's: by the cold digest where there is one, else by argon2id.
async fn is_right(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &Phc,
    candidate: &Candidate,
) -> Result<bool, Error> {
    let cold = service.cold_digests.as_ref();
    if let (Some(cold), Some(kept)) = (cold, &candidate.cold_digest)
        && cold.matches(key, hash, kept)
    {
        return Ok(true);
    }
    match service.hasher.verify(key.clone(), hash.clone()).await? {
        Proof::Match { outdated } => {
            tidy(service, key, hash, candidate, outdated);
            Ok(true)
        }
        Proof::Mismatch => Ok(false),
        Proof::Unreadable => {
            service.unreadable.tell(service, &candidate.grant);
            Ok(false)
        }
    }
}

/// After a proof, beside the answer: a hash with old parameters is replaced, and the cold digest kept. Both are
/// only for next time, so a fault in them is nobody's fault.
fn tidy(
    service: &Arc<Service>,
    key: &Plaintext,
    hash: &Phc,
    candidate: &Candidate,
    outdated: bool,
) {
    let is_current = candidate.grant.replaced_until.is_none();
    if !is_current || (!outdated && service.cold_digests.is_none()) {
        return;
    }
    let (service, key, hash) = (Arc::clone(service), key.clone(), hash.clone());
    let id = Arc::clone(&candidate.grant.key_id);
    tokio::spawn(async move {
        let hash = if outdated {
            rehash(&service, &id, &key, hash).await?
        } else {
            hash
        };
        let digest = service
            .cold_digests
            .as_ref()
            .and_then(|cold| cold.digest(&key, &hash));
        if let Some(digest) = digest {
            service.store.keep_cold_digest(&id, &hash, &digest).await?;
        }
        Ok::<_, Error>(())
    });
}

async fn rehash(service: &Service, id: &str, key: &Plaintext, proved: Phc) -> Result<Phc, Error> {
    let salt = random::bytes(&mut random::generator()?);
    let hash = service.hasher.hash(key.clone(), salt).await?;
    service.store.replace_hash(id, &proved, &hash).await?;
    Ok(hash)
}
