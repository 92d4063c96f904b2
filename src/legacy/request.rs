//! The input of callers about a backfill.

use crate::error::Error;
use crate::input::{Fields, Value, rules};

const LIMIT: std::ops::RangeInclusive<i32> = 1..=1_000_000;

/// A request to hash legacy rows, at most `limit` of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackfillRequest {
    pub limit: Option<usize>,
}

impl BackfillRequest {
    /// Reads the options of `migrate()`. Returns `None` if no row is to be hashed.
    pub fn read(options: Value) -> Result<Option<Self>, Error> {
        let mut fields = Fields::of_optional(options);
        let adopt = fields.optional("adopt", rules::boolean).unwrap_or(false);
        let limit = fields.optional("limit", rules::integer(LIMIT));
        if limit.is_some() && !adopt {
            fields.fail("limit", "requires adopt: true");
        }
        let request = adopt.then(|| Self {
            limit: limit.and_then(|limit| usize::try_from(limit).ok()),
        });
        fields.finish(Some(request))
    }
}
