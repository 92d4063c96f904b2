//! What the service says of itself for the metrics.

use super::Service;
use crate::metrics::{Gauges, Totals};

impl Service {
    /// The counters that start at zero with the service.
    pub fn totals(&self) -> Totals {
        let hashed = self.hasher.stats();
        Totals {
            hashes: hashed.hashes,
            hash_nanos: hashed.busy_ns,
            rows_read: self.store.selects(),
            retries: self.store.retries(),
            audit_dropped: self.audit.dropped(),
        }
    }

    /// The current state of the service, for the metrics.
    pub fn gauges(&self) -> Gauges {
        let (connections, idle) = self.store.connections();
        Gauges {
            cached: self.cache.len(),
            cache_capacity: self.config.cache_capacity,
            preloaded: self.preloaded_keys.len(),
            hashes_queued: self.hasher.stats().queued,
            hash_permits: self.config.hash_permits,
            connections_idle: idle,
            connections_in_use: connections.saturating_sub(idle),
            connections_max: self.config.pool_max,
            changes_read_ago_seconds: self.cache.stale_for(self.moment()).as_secs_f64(),
            changes_tracked: !self.self_check.is_untracked(),
            usage_pending: self.usage.pending(),
            usage_interval_seconds: self.usage.tempo().interval().as_secs_f64(),
            unwritable_keys: self.unwritable_keys.len(),
            quota_leases: self.leases.held(self.moment()),
        }
    }
}
