//! Rows whose hash cannot be computed: each is reported once.

use parking_lot::Mutex;

use std::collections::HashSet;
use std::sync::Arc;

/// Rows remembered at most: where there are more, the table is the problem and not a row.
const REPORTED_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub struct UnreadableKeys {
    reported: Mutex<HashSet<Arc<str>>>,
}

impl UnreadableKeys {
    /// Whether the row has not been reported yet; from here on it has.
    pub fn is_new(&self, key_id: &Arc<str>) -> bool {
        let mut reported = self.reported.lock();
        reported.len() < REPORTED_MAX && reported.insert(Arc::clone(key_id))
    }
}
