//! Creates a key.

use std::time::Instant;

use super::change::require_known;
use super::credential::issue;
use super::events;
use super::input::NewKey;
use crate::error::{Conflict, Error};
use crate::events::Event;
use crate::model::{Actor, ApiKey, IdempotencyKey, Plaintext, Timestamp};
use crate::quotas::require_time_zones;
use crate::random;
use crate::service::Service;
use crate::store::{Credential, UsedIdempotencyKey};

/// A newly created key: the only time that its plaintext is known.
#[derive(Debug)]
pub struct IssuedKey {
    pub key: ApiKey,
    pub plaintext: Plaintext,
}

pub async fn create(
    service: &Service,
    new: NewKey,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<IssuedKey, Error> {
    require_known(service, &new.settings)?;
    require_time_zones(service, &new.settings.quotas).await?;
    let mut rng = random::generator()?;
    let (plaintext, credential) = issue(service, new.class, &mut rng).await?;
    let mut key = ApiKey::new(random::id(&mut rng), now);
    new.settings.apply(&mut key, now);
    key.start = Some(credential.start.clone());
    key.created_by = actor.as_ref().map(|actor| actor.as_str().to_owned());
    let idempotency = new.idempotency_key(actor.as_ref());
    if let Some(used) = insert(
        service,
        &key,
        &plaintext,
        credential,
        idempotency.as_ref(),
        new.max_keys,
        now,
    )
    .await?
        && let Some(idempotency) = &idempotency
    {
        return repeat(service, idempotency, used).await;
    }
    service.cache.changed(&key.id);
    service.record(Event::KeyIssued(events::issued(&key, actor.as_ref())), now);
    Ok(IssuedKey { key, plaintext })
}

/// Inserts the row, unless the idempotency key was used before. A row whose insertion was not confirmed is deleted later,
/// unless a repetition was given its key.
async fn insert(
    service: &Service,
    key: &ApiKey,
    plaintext: &Plaintext,
    credential: Credential,
    idempotency: Option<&IdempotencyKey>,
    max_keys: Option<i32>,
    now: Timestamp,
) -> Result<Option<UsedIdempotencyKey>, Error> {
    let issued = &service.issued_plaintexts;
    if idempotency.is_some() {
        // Before the row is there, so that a concurrent repetition finds it.
        issued.keep(&key.id, plaintext, Instant::now());
    }
    let inserted = service
        .store
        .insert_key(key, &credential, idempotency, max_keys)
        .await;
    if matches!(inserted, Ok(None)) || !issued.forget(&key.id) {
        return Ok(None);
    }
    if let Err(Error::DatabaseUnavailable {
        retry_after_ms,
        origin,
        ..
    }) = inserted
    {
        let id = key.id.clone();
        service.unconfirmed_keys.add(id, credential.hash, now);
        return Err(Error::DatabaseUnavailable {
            message: UNCONFIRMED.into(),
            retry_after_ms,
            origin,
        });
    }
    inserted
}

const UNCONFIRMED: &str = "The database did not confirm the new key: if it was stored, it will be deleted, so create the \
                           key again";

/// The answer to a repeated creation: the same key, as long as its plaintext is known.
async fn repeat(
    service: &Service,
    idempotency: &IdempotencyKey,
    used: UsedIdempotencyKey,
) -> Result<IssuedKey, Error> {
    if used.input != idempotency.input {
        return Err(Error::IdempotencyKeyReused);
    }
    if service.unconfirmed_keys.contains(&used.key_id) {
        return Err(Error::unavailable(UNCONFIRMED));
    }
    let plaintext = service
        .issued_plaintexts
        .repeat(&used.key_id, Instant::now());
    let key = match plaintext {
        Some(plaintext) => service
            .store
            .get_key(&used.key_id)
            .await?
            .zip(Some(plaintext)),
        None => None,
    };
    match key {
        // A key that was rotated since begins differently.
        Some((key, plaintext))
            if key
                .start
                .as_deref()
                .is_some_and(|start| plaintext.expose().starts_with(start)) =>
        {
            Ok(IssuedKey { key, plaintext })
        }
        _ => Err(Error::Conflict(Conflict::KeyExists {
            key_id: used.key_id,
        })),
    }
}
