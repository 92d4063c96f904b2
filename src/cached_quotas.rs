//! The quotas of a cached key or client, with their leases.

use std::sync::{Arc, OnceLock};

use crate::model::{Level, LimitOwner, Quota};
use crate::quota_leases::{Lease, Leases};

/// One quota of a key or client. What it is like, the database knows.
#[derive(Clone)]
pub struct CachedQuota {
    pub name: Box<str>,
    /// Looked up when the quota is first used.
    lease: OnceLock<Arc<Lease>>,
}

/// A quota that a key must be within: its own, or one of a client above it.
#[derive(Clone, Copy)]
pub struct QuotaOfKey<'a> {
    pub level: Level,
    pub owner: LimitOwner<'a>,
    pub quota: &'a CachedQuota,
}

impl<'a> QuotaOfKey<'a> {
    /// The lease, which everything shares that is cached for the owner.
    pub fn lease(&self, leases: &Leases) -> &'a Arc<Lease> {
        let find = || leases.entry(self.owner, &self.quota.name);
        self.quota.lease.get_or_init(find)
    }
}

impl CachedQuota {
    pub(crate) fn all_of(quotas: &[Quota]) -> Box<[Self]> {
        let quotas = quotas.iter().map(|quota| Self {
            name: quota.name.as_str().into(),
            lease: OnceLock::new(),
        });
        quotas.collect()
    }
}
