//! The state that the running service reports.

/// The counters of one service since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub hashes: u64,
    pub hash_nanos: u64,
    pub rows_read: u64,
    pub retries: u64,
    pub audit_dropped: u64,
}

impl Totals {
    pub fn add(&mut self, other: Self) {
        self.hashes += other.hashes;
        self.hash_nanos += other.hash_nanos;
        self.rows_read += other.rows_read;
        self.retries += other.retries;
        self.audit_dropped += other.audit_dropped;
    }
}

/// The state of a process as it is now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Snapshot {
    /// `None` until the database was first queried.
    pub database_up: Option<bool>,
    pub events_dropped: u64,
    pub totals: Totals,
    /// `None` if no service runs.
    pub running: Option<Gauges>,
}

/// The state of a service.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    pub cached: usize,
    pub cache_capacity: usize,
    /// Rows that `warmUp()` has loaded and nobody has presented the key of yet.
    pub preloaded: usize,
    pub hashes_queued: usize,
    pub hash_permits: usize,
    pub connections_idle: usize,
    pub connections_in_use: usize,
    pub connections_max: u32,
    pub changes_read_ago_seconds: f64,
    /// Whether changes by others reach this process, as far as the last check knows.
    pub changes_tracked: bool,
    pub usage_pending: u64,
    pub usage_interval_seconds: f64,
    pub unwritable_keys: usize,
    /// Quotas of which this process holds units.
    pub quota_leases: usize,
}
