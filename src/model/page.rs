//! Keyset pages, newest first.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::timestamp::Timestamp;

/// The position where a page ended: the instant and the id of its last row. Opaque to callers.
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

    /// Parses a cursor; `None` if the text is none.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let plain = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (millis, id) = plain.split_once(':')?;
        // The id may be any that a row can have: a page may end at a row from another writer.
        (!id.contains('\0')).then_some(Self {
            at: Timestamp::from_millis(millis.parse().ok()?),
            id: id.to_owned(),
        })
    }

    /// The two parts, for a query with optional bounds.
    #[must_use]
    pub fn parts(cursor: Option<&Self>) -> (Option<Timestamp>, Option<&str>) {
        cursor.map(|cursor| (cursor.at, cursor.id.as_str())).unzip()
    }
}

/// A page, and the text of the cursor of the next one if there is one.
#[derive(Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of the rows read: one more than the limit if there is a next page. `end` gives the cursor of a page
    /// that ends with this row.
    pub fn of(mut rows: Vec<T>, limit: i32, end: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(end);
        Self { rows, next }
    }

    /// Converts each row of the page.
    pub fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page {
            rows: self.rows.into_iter().map(convert).collect(),
            next: self.next,
        }
    }
}
