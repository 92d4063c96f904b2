//! What was found, and how to mend it.

use serde::Serialize;

use crate::error::Error;

/// One thing that was examined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about, e.g. `triggers`: stable, for programs.
    pub check: &'static str,
    pub status: FindingStatus,
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Statements that belong to the remedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingStatus {
    Ok,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// Something does not work, or will not.
    Problem,
}

pub(super) const MIGRATE: &str = "npx sophra-api-keys migrate";

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

    /// The answer, or a finding that there was none.
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
        });
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

/// `1 key`, `2 keys`.
pub(super) fn counted(count: i64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
