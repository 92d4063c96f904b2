//! Rows whose stored hash is of no use. Each is reported once.

use parking_lot::Mutex;

use std::collections::HashSet;
use std::sync::Arc;

/// Rows reported at most: if there are more, the problem is the table and not a single row.
const REPORTED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct UnreadableKeys {
    reported: Mutex<HashSet<Arc<str>>>,
}

impl UnreadableKeys {
    /// Marks the row as reported. Returns whether it was not yet.
    pub fn mark_reported(&self, key_id: &Arc<str>) -> bool {
        let mut reported = self.reported.lock();
        reported.len() < REPORTED_MAX && reported.insert(Arc::clone(key_id))
    }
}
