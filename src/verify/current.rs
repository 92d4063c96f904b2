//! Whether what is cached of a key is current: neither its row nor its client nor its roles have changed since they were
//! read.

use std::sync::Arc;
use std::time::Instant;

use super::fleet::{begin_where_others_are, note_read};
use crate::cache::{CacheKey, CacheLookup};
use crate::cached_clients::CachedClient;
use crate::cached_key::{CachedKey, KeyEntry};
use crate::error::Error;
use crate::model::Moment;
use crate::service::Service;
use crate::store::ClientLevel;

pub(super) fn find(service: &Service, key: &CacheKey, now: Moment) -> CacheLookup<CachedKey> {
    match service.cache.find(key, now) {
        CacheLookup::Current(entry)
            if !service.clients.is_current(&entry.value.client)
                || !service.roles.are_current(&entry.value.roles)
                || must_be_read(&entry, now.instant) =>
        {
            CacheLookup::Stale(entry)
        }
        found => found,
    }
}

pub(super) fn is_current(service: &Service, entry: &KeyEntry) -> bool {
    service.clients.is_current(&entry.value.client) && is_current_but_for_client(service, entry)
}

/// Whether neither the row of the key nor its roles have changed.
fn is_current_but_for_client(service: &Service, entry: &KeyEntry) -> bool {
    service.cache.is_current(entry) && service.roles.are_current(&entry.value.roles)
}

/// Whether the key seems idle, but may have been used elsewhere since its row was read.
fn must_be_read(entry: &KeyEntry, now: Instant) -> bool {
    let idle = entry.value.idle.as_ref();
    idle.is_some_and(|rule| rule.must_be_read(entry.row.last_use(), now))
}

/// The entry with its client as it is now, if nothing but the client has changed. However many keys a client has, it is
/// read once, and neither the rows of the keys nor their hashes are needed.
pub(super) async fn with_current_client(
    service: &Arc<Service>,
    cache_key: CacheKey,
    entry: &KeyEntry,
) -> Result<Option<Arc<KeyEntry>>, Error> {
    let now = service.moment();
    let is_known = service.cache.is_trusted(now) && !must_be_read(entry, now.instant);
    if !is_known || !is_current_but_for_client(service, entry) {
        return Ok(None);
    }
    let read = |client_id| read_client(Arc::clone(service), client_id);
    let Some(client) = service.clients.current(&entry.value.client, read).await? else {
        return Ok(None);
    };
    let key = entry.value.with_client(client);
    let bytes = key.bytes();
    let row = Arc::clone(&entry.row);
    let read_at = entry.read_at();
    Ok(Some(
        service.cache.insert(cache_key, key, bytes, row, read_at),
    ))
}

async fn read_client(service: Arc<Service>, client_id: Arc<str>) -> Result<CachedClient, Error> {
    let read_at = service.clients.sequence();
    let levels = service.store.client_levels(&client_id).await?;
    let (policies, fleet) = ClientLevel::split(levels);
    let client = service.clients.read(&client_id, policies, read_at);
    begin_where_others_are(&service, client.limits(), &fleet);
    if service.clients.is_current(&client) {
        note_read(&service, client.limits());
    }
    Ok(client)
}
