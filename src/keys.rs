//! Administration of keys: create, get, list, update, patch, delete.

mod events;
mod input;
mod orphans;

pub use input::{Changes, NewKey, Patch, Query, Update, key_id};
pub use orphans::Orphans;

use rand::rngs::StdRng;

use crate::audit;
use crate::error::Error;
use crate::events::Event;
use crate::input::page::{Cursor, Page};
use crate::model::{ApiKey, Timestamp};
use crate::random;
use crate::service::Service;
use crate::shown::Shown;
use crate::store::{Credential, PlaintextKey, ReplacedPlaintext, Rotation};
use crate::token::Plaintext;

/// A key right after it was made: the only time that its plaintext is known.
#[derive(Debug)]
pub struct Issued {
    pub key: ApiKey,
    pub plaintext: Plaintext,
}

pub async fn create(
    service: &Service,
    new: NewKey,
    actor: Option<Shown>,
    now: Timestamp,
) -> Result<Issued, Error> {
    let mut rng = random::generator()?;
    let (plaintext, credential) = issue(service, &mut rng).await?;
    let key = ApiKey {
        id: random::id(&mut rng),
        name: new.name,
        client_id: new.client_id,
        description: new.description,
        is_active: new.is_active,
        expires_at: new.expires_at,
        created_at: now,
        updated_at: now,
        last_used_at: None,
        allowed_ips: new.allowed_ips,
        rate_limit: new.rate_limit,
        rate_limit_window_seconds: new.rate_limit_window_seconds,
        usage_count: 0,
        start: Some(credential.start.clone()),
        scopes: new.scopes,
        metadata: new.metadata,
        suspended_until: None,
        previous_key_expires_at: None,
    };
    match service.store.insert_key(&key, &credential).await {
        Ok(()) => {
            service.cache.changed(&key.id);
            audit::record(service, Event::KeyIssued(events::issued(&key, actor)), now);
            Ok(Issued { key, plaintext })
        }
        Err(Error::DatabaseUnavailable { retry_after_ms, .. }) => {
            service.orphans.add(key.id, credential.hash, now);
            Err(Error::DatabaseUnavailable {
                message:
                    "The database did not confirm the new key: if it was stored, it will be deleted, so create the \
                     key again"
                        .into(),
                retry_after_ms,
            })
        }
        Err(error) => Err(error),
    }
}

pub async fn get(service: &Service, id: &str) -> Result<Option<ApiKey>, Error> {
    service.store.get_key(id).await
}

/// Newest first.
pub async fn list(service: &Service, query: &Query) -> Result<Page<ApiKey>, Error> {
    let keys = service.store.list_keys(query).await?;
    Ok(Page::of(keys, query.limit, |key| Cursor {
        at: key.created_at,
        id: key.id.clone(),
    }))
}

/// Answers the new plaintext too, where the key was regenerated.
pub async fn update(
    service: &Service,
    update: Update,
    actor: Option<Shown>,
    now: Timestamp,
) -> Result<(ApiKey, Option<Plaintext>), Error> {
    let Some(grace_seconds) = update.regenerate else {
        return Ok((
            change(service, &update.id, &update.changes, None, actor, now).await?,
            None,
        ));
    };
    let mut rng = random::generator()?;
    let (plaintext, credential) = issue(service, &mut rng).await?;
    let grace_until = (grace_seconds > 0).then(|| now.plus_seconds(grace_seconds.into()));
    let replaced = match grace_until {
        Some(_) => replaced_plaintext(service, &update.id, &mut rng).await?,
        None => None,
    };
    let rotation = Rotation {
        credential,
        grace_until,
        replaced,
    };
    let rotation = Some(&rotation);
    let key = change(service, &update.id, &update.changes, rotation, actor, now).await?;
    Ok((key, Some(plaintext)))
}

pub async fn patch(
    service: &Service,
    patch: Patch,
    actor: Option<Shown>,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    let key = change(service, &patch.id, &patch.changes, None, actor, now).await?;
    if patch.changes.lift_suspension {
        service.cache.lift_suspension(&patch.id);
    }
    Ok(key)
}

pub async fn delete(
    service: &Service,
    id: &str,
    actor: Option<Shown>,
    now: Timestamp,
) -> Result<(), Error> {
    let deleted = service.store.delete_key(id).await;
    // Also after a fault: the change may have been made all the same.
    service.cache.changed(id);
    if !deleted? {
        return Err(NOT_FOUND);
    }
    let key_id = Shown::new(id);
    audit::record(service, Event::KeyDeleted { key_id, actor }, now);
    Ok(())
}

const NOT_FOUND: Error = Error::NotFound("API key");

async fn change(
    service: &Service,
    id: &str,
    changes: &Changes,
    rotation: Option<&Rotation>,
    actor: Option<Shown>,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    let key = service.store.change_key(id, changes, rotation, now).await;
    // Also after a fault: the change may have been made all the same.
    service.cache.changed(id);
    let key = key?.ok_or(NOT_FOUND)?;
    let event = events::changed(&key, rotation.is_some(), actor);
    audit::record(service, Event::KeyChanged(event), now);
    Ok(key.after)
}

/// The hash of a key that its row keeps in plaintext: what is left of it once it is replaced.
async fn replaced_plaintext(
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

/// A new plaintext, and what its row keeps of it.
async fn issue(service: &Service, rng: &mut StdRng) -> Result<(Plaintext, Credential), Error> {
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
