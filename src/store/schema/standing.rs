//! What a database has of the schema, as far as it takes to know whether there is something to migrate.

use std::collections::HashMap;

use super::migrate::compare;
use super::triggers::{TriggerState, faults_in};
use super::{History, indexes};

/// What a database has of the schema.
pub(in crate::store) struct Standing {
    /// Versions and checksums of the applied migrations.
    pub(in crate::store) versions: Vec<i64>,
    pub(in crate::store) checksums: Vec<Vec<u8>>,
    pub(in crate::store) valid_indexes: Vec<String>,
    /// Whether `pg_trgm` is installed.
    pub(in crate::store) has_trigrams: bool,
    pub(in crate::store) triggers: Vec<TriggerState>,
    /// Whether this role may mend triggers.
    pub(in crate::store) may_mend: bool,
}

impl Standing {
    /// Whether there is nothing to migrate, or nothing that this role could.
    pub(in crate::store) fn is_up_to_date(&self) -> bool {
        let applied: HashMap<_, _> = self
            .versions
            .iter()
            .copied()
            .zip(self.checksums.iter().cloned())
            .collect();
        let History { pending, altered } = compare(&applied);
        pending.is_empty()
            && altered.is_empty()
            && indexes::faults_in(&self.valid_indexes, self.has_trigrams).is_empty()
            && (faults_in(&self.triggers).is_empty() || !self.may_mend)
    }
}
