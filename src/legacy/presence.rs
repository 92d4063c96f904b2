//! Whether there are legacy keys, from memory if nothing has changed since it was read.

use std::time::Instant;

use crate::error::Error;
use crate::legacy_keys::ImportForms;
use crate::model::Moment;
use crate::service::Service;

/// Whether it is known that there is no legacy key.
pub fn are_known_to_be_absent(service: &Service, now: Moment) -> bool {
    service.cache.is_trusted(now)
        && service
            .legacy_keys
            .any(service.cache.sequence(), now.instant)
            == Some(false)
}

/// Whether there is a legacy key. However many callers ask, one statement at a time answers them.
pub async fn any_legacy_key(service: &Service) -> Result<bool, Error> {
    let known = || {
        let any = service
            .legacy_keys
            .any(service.cache.sequence(), Instant::now());
        any.filter(|any| *any || service.cache.is_trusted(service.moment()))
    };
    if let Some(any) = known() {
        return Ok(any);
    }
    let _reader = service.legacy_keys.begin_reading().await;
    if let Some(any) = known() {
        return Ok(any);
    }
    let read_at = service.cache.sequence();
    let any = service.store.has_legacy_keys().await?;
    service.legacy_keys.read(any, read_at, Instant::now());
    Ok(any)
}

/// The forms in which rows of imported keys are found. Any change may bring one.
pub async fn import_forms(service: &Service) -> Result<ImportForms, Error> {
    let known = || {
        let forms = service.legacy_keys.forms(service.cache.sequence());
        forms.filter(|_| service.cache.is_trusted(service.moment()))
    };
    if let Some(forms) = known() {
        return Ok(forms);
    }
    let _reader = service.legacy_keys.begin_reading().await;
    if let Some(forms) = known() {
        return Ok(forms);
    }
    let read_at = service.cache.sequence();
    let forms = ImportForms::from(service.store.import_forms().await?);
    let kept = ImportForms::clone(&forms);
    service.legacy_keys.read_forms(kept, read_at);
    Ok(forms)
}
