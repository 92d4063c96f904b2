//! The tags by which verifies are counted.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;

/// Tags that one flush stores. All others of the same time are stored as one.
const TAGS_MAX: usize = 500;
/// Counts with a tag that are kept in memory between two flushes.
const COUNTS_MAX: usize = 50_000;

/// The tag of what is beyond the bounds.
const OTHER: &str = "other";

/// The tags that were counted since everything was stored last.
#[derive(Debug, Default)]
pub(super) struct Tags(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    tags: HashSet<Arc<str>>,
    counts: usize,
}

impl Tags {
    /// The tag under which a count begins. `is_full` is whether its key has no room for one more.
    pub(super) fn admit(&self, tag: &str, is_full: bool) -> Arc<str> {
        let mut known = self.0.lock();
        let Known { tags, counts } = &mut *known;
        let tag = if is_full || *counts >= COUNTS_MAX {
            OTHER
        } else {
            tag
        };
        if let Some(known) = tags.get(tag) {
            return Arc::clone(known);
        }
        let tag: Arc<str> = if tags.len() < TAGS_MAX { tag } else { OTHER }.into();
        tags.insert(Arc::clone(&tag));
        tag
    }

    /// Notes that a count has begun.
    pub(super) fn begun(&self) {
        self.0.lock().counts += 1;
    }

    /// Forgets the tags: all counts are stored, or about to be.
    pub(super) fn clear(&self) {
        let mut known = self.0.lock();
        known.tags.clear();
        known.counts = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_beyond_the_bound_are_counted_as_one() {
        let tags = Tags::default();
        let admitted = |n: usize| tags.admit(&format!("/{n}"), false).to_string();
        for n in 0..TAGS_MAX {
            assert_eq!(admitted(n), format!("/{n}"));
        }
        assert_eq!(admitted(TAGS_MAX), OTHER);
        assert_eq!(admitted(0), "/0");
        tags.clear();
        assert_eq!(admitted(TAGS_MAX), format!("/{TAGS_MAX}"));
    }

    #[test]
    fn counts_beyond_the_bound_are_counted_as_one() {
        let tags = Tags::default();
        for _ in 0..COUNTS_MAX {
            assert_eq!(&*tags.admit("/", false), "/");
            tags.begun();
        }
        assert_eq!(&*tags.admit("/", false), OTHER);
    }
}
