//! Changes to a key: update, patch, rotation.

use super::ceilings::enforce;
use super::credential::{issue, replaced_plaintext};
use super::events;
use super::input::{PatchKey, UpdateKey};
use super::owner::{KeyOwner, require_own};
use crate::error::Error;
use crate::events::Event;
use crate::model::{Actor, ApiKey, FieldChange, KeyChanges, Plaintext, Timestamp};
use crate::quotas::require_time_zones;
use crate::random;
use crate::service::Service;
use crate::store::Rotation;

/// Changes a key and, if requested, rotates it. Returns the new plaintext of a rotated key too.
pub async fn update(
    service: &Service,
    update: UpdateKey,
    owner: Option<&KeyOwner>,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<(ApiKey, Option<Plaintext>), Error> {
    let UpdateKey {
        id,
        changes,
        regenerate,
    } = update;
    let Some(grace_seconds) = regenerate else {
        let key = change(service, &id, &changes, None, owner, actor, now).await?;
        return Ok((key, None));
    };
    let replaced = service.store.get_key(&id).await?;
    let start = replaced.ok_or(Error::NotFound("API key"))?.start;
    let class = service.tokens.format().class_of(start.as_deref());
    let mut rng = random::generator()?;
    let (plaintext, credential) = issue(service, class, &mut rng).await?;
    let grace_ends_at = (grace_seconds > 0).then(|| now.plus_seconds(grace_seconds.into()));
    let replaced = match grace_ends_at {
        Some(_) => replaced_plaintext(service, &id, &mut rng).await?,
        None => None,
    };
    let rotation = Rotation {
        credential,
        grace_ends_at,
        at: now,
        replaced,
    };
    let key = change(service, &id, &changes, Some(&rotation), owner, actor, now).await?;
    Ok((key, Some(plaintext)))
}

pub async fn patch(
    service: &Service,
    patch: PatchKey,
    owner: Option<&KeyOwner>,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    let PatchKey { id, changes } = patch;
    let key = change(service, &id, &changes, None, owner, actor, now).await?;
    if changes.lift_suspension {
        service.cache.lift_suspension(&id);
    }
    Ok(key)
}

/// Fails if the settings have a scope that the catalogue does not have.
pub(crate) fn require_known(service: &Service, changes: &KeyChanges) -> Result<(), Error> {
    match &changes.scopes {
        FieldChange::Set(scopes) => service.require_known(scopes),
        FieldChange::Keep => Ok(()),
    }
}

async fn change(
    service: &Service,
    id: &str,
    changes: &KeyChanges,
    rotation: Option<&Rotation>,
    owner: Option<&KeyOwner>,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<ApiKey, Error> {
    require_known(service, changes)?;
    require_time_zones(service, &changes.quotas).await?;
    let may = |key: &ApiKey| {
        require_own(owner, key)?;
        // The caller has compared them, and the roles too; somebody has changed them since, so the next try is refused.
        if let Some(owner) = owner.filter(|_| rotation.is_some())
            && !owner.beyond(key.scopes.clone()).is_empty()
        {
            return Err(Error::OVERLOADED);
        }
        enforce(service, key, changes, now)
    };
    let key = service
        .store
        .change_key(id, changes, rotation, actor.as_ref(), now, &may)
        .await;
    // Even after an error, since the change may have been made all the same.
    service.row_changed(id);
    let key = key?.ok_or(Error::NotFound("API key"))?;
    let event = events::changed(&key, rotation.is_some(), actor.as_ref());
    service.record(Event::KeyChanged(event), now);
    Ok(key.after)
}
