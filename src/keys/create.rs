//! Creates a key.

use super::credential::issue;
use super::events;
use super::input::NewKey;
use crate::error::Error;
use crate::events::Event;
use crate::model::{Actor, ApiKey, Plaintext, Timestamp};
use crate::random;
use crate::service::Service;

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
    let mut rng = random::generator()?;
    let (plaintext, credential) = issue(service, &mut rng).await?;
    let mut key = ApiKey::new(random::id(&mut rng), now);
    new.settings.apply(&mut key, now);
    key.start = Some(credential.start.clone());
    key.created_by = actor.as_ref().map(|actor| actor.as_str().to_owned());
    match service.store.insert_key(&key, &credential).await {
        Ok(()) => {
            service.cache.changed(&key.id);
            service.record(Event::KeyIssued(events::issued(&key, actor.as_ref())), now);
            Ok(IssuedKey { key, plaintext })
        }
        Err(Error::DatabaseUnavailable {
            retry_after_ms,
            origin,
            ..
        }) => {
            service.unconfirmed_keys.add(key.id, credential.hash, now);
            Err(Error::DatabaseUnavailable {
                message:
                    "The database did not confirm the new key: if it was stored, it will be deleted, so create the key \
                         again"
                        .into(),
                retry_after_ms,
                origin,
            })
        }
        Err(error) => Err(error),
    }
}
