//! The names of the background tasks, as operators see them.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackgroundTask {
    /// Stores usage, suspensions and the audit log.
    Flush,
    /// Stores suspensions that should not wait for a flush.
    Suspensions,
    /// Deletes keys whose creation was not confirmed.
    UnconfirmedKeys,
    /// Deletes what is beyond its retention.
    Pruning,
    /// Reads the change log.
    ChangeLog,
    /// Listens for notifications.
    Listener,
    /// Hashes legacy rows.
    LegacyBackfill,
    /// Replaces a stored hash with weaker parameters, and stores the cold digest.
    Rehash,
    /// Leases units of quotas.
    QuotaLeases,
    /// Copies the use of keys, by which lists are sorted.
    KeyUsage,
    /// Adds what flushes have stored to the usage over time.
    UsageHistory,
    /// Delivers notices to webhooks.
    Webhooks,
    /// Tells listeners what other processes did.
    FleetEvents,
}

impl BackgroundTask {
    pub const ALL: [Self; 13] = [
        Self::Flush,
        Self::Suspensions,
        Self::UnconfirmedKeys,
        Self::Pruning,
        Self::ChangeLog,
        Self::Listener,
        Self::LegacyBackfill,
        Self::Rehash,
        Self::QuotaLeases,
        Self::KeyUsage,
        Self::UsageHistory,
        Self::Webhooks,
        Self::FleetEvents,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::Suspensions => "suspensions",
            Self::UnconfirmedKeys => "unconfirmed_keys",
            Self::Pruning => "pruning",
            Self::ChangeLog => "change_log",
            Self::Listener => "listener",
            Self::LegacyBackfill => "legacy_backfill",
            Self::Rehash => "rehash",
            Self::QuotaLeases => "quota_leases",
            Self::KeyUsage => "key_usage",
            Self::UsageHistory => "usage_history",
            Self::Webhooks => "webhooks",
            Self::FleetEvents => "fleet_events",
        }
    }
}
