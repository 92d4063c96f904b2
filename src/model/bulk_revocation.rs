//! A revocation of many keys.

use super::key_query::KeyFilter;
use super::revocation::RevocationReason;

/// A revocation of all keys of a filter.
#[derive(Debug, Clone)]
pub struct BulkRevocation {
    pub filter: KeyFilter,
    pub reason: RevocationReason,
    /// For the audit log.
    pub note: Option<String>,
    /// Nothing is changed if the keys are another number.
    pub expected_count: Option<i32>,
    /// Counts the keys only.
    pub dry_run: bool,
}
