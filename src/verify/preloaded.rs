//! Finds the row of a presented key among those that were loaded before anybody presented their keys.

use std::sync::Arc;

use crate::cache::{Row, Sequence};
use crate::service::Service;
use crate::store::Candidate;

/// The loaded row with this lookup, unless it may have changed. It is as if it had been read now.
pub(super) fn preloaded(
    service: &Service,
    lookup: &str,
) -> Option<((Candidate, Arc<Row>), Sequence)> {
    let loaded = service.preloaded_keys.find(lookup)?;
    // Before the check: a change that comes between the two makes the row stale.
    let read_at = service.cache.sequence();
    if !service.cache.is_unchanged(&loaded.row, loaded.read_at) {
        service.preloaded_keys.remove(lookup);
        return None;
    }
    if !service.cache.is_trusted(service.moment()) {
        return None;
    }
    let found = (loaded.candidate.clone(), Arc::clone(&loaded.row));
    Some((found, read_at))
}
