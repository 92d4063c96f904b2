//! Finds the row of a presented key among those that were loaded before anybody presented their keys.

use std::sync::Arc;

use super::row::FoundRow;
use crate::cache::Sequence;
use crate::service::Service;

/// The loaded row with this lookup, unless it may have changed, and the position in the sequence of changes at which it
/// had not.
pub(super) fn preloaded(service: &Service, lookup: &str) -> Option<(FoundRow, Sequence)> {
    let loaded = service.preloaded_keys.find(lookup)?;
    // Before the check: a change that comes between the two makes the row stale.
    let unchanged_at = service.cache.sequence();
    let is_current = service.cache.is_unchanged(&loaded.row, loaded.read_at)
        && service.clients.is_current(&loaded.client)
        && service.roles.are_current(&loaded.roles);
    if !is_current {
        service.preloaded_keys.remove(lookup);
        return None;
    }
    let now = service.moment();
    if !service.cache.is_trusted(now) {
        return None;
    }
    let idle = loaded.candidate.idleness.rule(service.config.max_idle_days);
    if idle.is_some_and(|rule| rule.must_be_read(loaded.row.last_use(), now.instant)) {
        return None;
    }
    let mut candidate = loaded.candidate.clone();
    if now.since(loaded.loaded_at) > service.config.flush_interval {
        // Others may have used the limit since, and what they had used may be available again. The next flush tells.
        candidate.fleet.clear();
    }
    let found = FoundRow {
        candidate,
        client: loaded.client.clone(),
        roles: loaded.roles.clone(),
        row: Arc::clone(&loaded.row),
        // No row is believed for longer because it was loaded before it was needed.
        read_at: loaded.read_at,
    };
    Some((found, unchanged_at))
}
