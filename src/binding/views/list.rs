//! The view of a list.

use serde::Serialize;

use crate::model::Page;

/// A list, or a page of one. The rows are written after it, each on a line of its own.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::binding) struct ListView<R> {
    #[serde(skip)]
    pub(in crate::binding) rows: Vec<R>,
    next_cursor: Option<String>,
}

impl<R> From<Vec<R>> for ListView<R> {
    fn from(rows: Vec<R>) -> Self {
        Self {
            rows,
            next_cursor: None,
        }
    }
}

impl<R> From<Page<R>> for ListView<R> {
    fn from(page: Page<R>) -> Self {
        Self {
            rows: page.rows,
            next_cursor: page.next,
        }
    }
}
