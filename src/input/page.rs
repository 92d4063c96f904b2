//! Pages of lists, newest first: how a caller asks for one, and where it ends.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::{Fields, Parsed, Value, rules};
use crate::model::Timestamp;

const LIMIT: std::ops::RangeInclusive<i32> = 1..=1_000;
const DEFAULT_LIMIT: i32 = 100;

/// Rows a page.
pub fn limit(fields: &mut Fields) -> i32 {
    let limit = fields.optional("limit", rules::integer(LIMIT));
    limit.unwrap_or(DEFAULT_LIMIT)
}

/// Where a page ended: the instant and the id of its last row, opaque to callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub at: Timestamp,
    pub id: String,
}

impl Cursor {
    #[must_use]
    pub fn encode(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(format!("{}:{}", self.at.millis(), self.id))
    }

    pub fn read(value: Value) -> Parsed<Self> {
        Self::decode(&rules::any_text(value)?).ok_or_else(|| "is not a valid cursor".into())
    }

    /// For a query with optional bounds.
    #[must_use]
    pub fn parts(cursor: Option<&Self>) -> (Option<Timestamp>, Option<&str>) {
        cursor.map(|cursor| (cursor.at, cursor.id.as_str())).unzip()
    }

    fn decode(text: &str) -> Option<Self> {
        let plain = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (millis, id) = plain.split_once(':')?;
        // Any id that a row can have: a page may end at one that another writer has made.
        (!id.contains('\0')).then_some(Self {
            at: Timestamp::from_millis(millis.parse().ok()?),
            id: id.to_owned(),
        })
    }
}

/// A page, and where the next one begins, if there is one.
#[derive(Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Of rows that were read, one more than the limit where there are more; `end` is where a page ends with a row.
    pub fn of(mut rows: Vec<T>, limit: i32, end: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(end);
        Self { rows, next }
    }
}
