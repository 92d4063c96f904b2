//! The findings of an examination, with their remedies.

use serde::Serialize;

use crate::error::Error;
use crate::model::{Escaped, join_escaped};
use crate::store::{OldCredential, UnreadableRows};

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The subject, e.g. `triggers`: a stable name for programs.
    pub check: &'static str,
    pub status: FindingStatus,
    pub message: String,
    /// The remedy, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The SQL statements of the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The rows that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<Listed>,
}

/// Rows that a finding is about: how many, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Listed {
    pub count: usize,
    pub first: Vec<ListedRow>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedRow {
    pub id: Escaped,
    pub name: Escaped,
    pub detail: String,
}

impl Listed {
    pub(super) fn add(&mut self, row: &OldCredential, detail: String) {
        const FIRST_MAX: usize = 1_000;
        self.count += 1;
        if self.first.len() < FIRST_MAX {
            self.first.push(ListedRow {
                id: Escaped::new(&row.id),
                name: Escaped::new(&row.name),
                detail,
            });
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingStatus {
    Ok,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// Something does not work, or will stop working.
    Problem,
}

pub(super) const MIGRATE: &str = "npx @sophra/api-keys migrate";

#[derive(Default)]
pub(super) struct Findings(pub(super) Vec<Finding>);

impl Findings {
    pub(super) fn ok(&mut self, check: &'static str, message: impl Into<String>) {
        self.add(check, FindingStatus::Ok, message.into(), None);
    }

    pub(super) fn warning(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(
            check,
            FindingStatus::Warning,
            message.into(),
            Some(remedy.into()),
        );
    }

    pub(super) fn problem(
        &mut self,
        check: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(
            check,
            FindingStatus::Problem,
            message.into(),
            Some(remedy.into()),
        );
    }

    /// Unwraps an answer. If there is none, adds a finding and returns `None`.
    pub(super) fn answer<T>(&mut self, check: &'static str, answer: Result<T, Error>) -> Option<T> {
        answer
            .map_err(|error| {
                self.problem(
                    check,
                    format!("This could not be examined: {error}"),
                    "Fix the other findings, then run doctor again",
                );
            })
            .ok()
    }

    fn add(
        &mut self,
        check: &'static str,
        status: FindingStatus,
        message: String,
        remedy: Option<String>,
    ) {
        self.0.push(Finding {
            check,
            status,
            message,
            remedy,
            sql: None,
            rows: None,
        });
    }

    /// A problem of these rows, unless there are none.
    pub(super) fn problem_of(
        &mut self,
        check: &'static str,
        message: String,
        remedy: &str,
        rows: Listed,
    ) {
        if rows.count > 0 {
            self.problem(check, message, remedy);
            self.with_rows(rows);
        }
    }

    /// The same as a warning.
    pub(super) fn warning_of(
        &mut self,
        check: &'static str,
        message: String,
        remedy: &str,
        rows: Listed,
    ) {
        if rows.count > 0 {
            self.warning(check, message, remedy);
            self.with_rows(rows);
        }
    }

    /// Adds the rows that the last finding is about.
    pub(super) fn with_rows(&mut self, rows: Listed) {
        if let Some(finding) = self.0.last_mut() {
            finding.rows = Some(rows);
        }
    }

    /// Adds statements to the remedy of the last finding.
    pub(super) fn with_sql(&mut self, sql: &[String]) {
        if let Some(finding) = self.0.last_mut()
            && !sql.is_empty()
        {
            finding.sql = Some(sql.join("\n"));
        }
    }
}

/// A count with its noun: `1 key`, `2 keys`.
pub(super) fn counted(count: i64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The same for rows that were counted here.
pub(super) fn many(count: usize, what: &str) -> String {
    counted(i64::try_from(count).unwrap_or(i64::MAX), what)
}

/// The ids of some of the rows.
pub(super) fn examples(found: &UnreadableRows) -> String {
    let more = if found.count > found.examples.len() {
        ", …"
    } else {
        ""
    };
    join_escaped(&found.examples) + more
}
