//! The rule for lists of limits.

use super::fields::Fields;
use super::rules;
use super::value::{Parsed, Problems, Value};
use crate::error::{Error, Issue};
use crate::model::{DEFAULT_LIMIT, Limit, Limits};

/// The limits of a key, of which none may have the name of the one that `rateLimit` sets.
pub fn of_key(value: Value) -> Parsed<Limits> {
    let limits = limits(value)?;
    let issues: Vec<Issue> = limits
        .iter()
        .enumerate()
        .filter(|(_, limit)| limit.name == DEFAULT_LIMIT)
        .map(|(index, _)| name_issue(index, "is the name of the limit that rateLimit sets"))
        .collect();
    unless(issues, limits).map(Limits::Readable)
}

/// The limits of a client.
pub fn of_client(value: Value) -> Parsed<Limits> {
    limits(value).map(Limits::Readable)
}

fn limits(value: Value) -> Parsed<Vec<Limit>> {
    let limits = rules::list(value, Limits::COUNT_MAX, limit)?;
    let is_used = |index: usize| {
        let (before, rest) = limits.split_at(index);
        before.iter().any(|limit| limit.name == rest[0].name)
    };
    let issues: Vec<Issue> = (0..limits.len())
        .filter(|index| is_used(*index))
        .map(|index| name_issue(index, "is the name of another limit in the list"))
        .collect();
    unless(issues, limits)
}

fn limit(value: Value) -> Parsed<Limit> {
    let mut fields = Fields::of(value);
    let name = fields.required("name", name);
    let limit = fields.required("limit", rules::integer(rules::RATE_LIMIT));
    let window = fields.required("windowSeconds", rules::integer(rules::WINDOW_SECONDS));
    let suspends = fields.optional("suspends", rules::boolean).unwrap_or(false);
    let limit = name
        .zip(limit)
        .zip(window)
        .and_then(|((name, limit), window)| {
            Some(Limit {
                name,
                limit: u32::try_from(limit).ok()?,
                window_seconds: u32::try_from(window).ok()?,
                suspends,
            })
        });
    fields.finish(limit).map_err(|error| match error {
        Error::InvalidInput(issues) => Problems(issues.into_iter().map(relative).collect()),
        _ => "cannot be read".into(),
    })
}

/// The path of a field inside of an entry.
fn relative(issue: Issue) -> Issue {
    let path = match issue.path.as_str() {
        "" => String::new(),
        field => format!(".{field}"),
    };
    Issue { path, ..issue }
}

fn name(value: Value) -> Parsed<String> {
    let name = rules::any_text(value)?;
    if Limit::is_name(&name) {
        Ok(name)
    } else {
        Err(format!(
            "must have 1 to {} of the characters A-Z a-z 0-9 . _ -",
            Limit::NAME_MAX
        )
        .into())
    }
}

fn name_issue(index: usize, message: &str) -> Issue {
    Issue {
        path: format!("[{index}].name"),
        message: message.to_owned(),
    }
}

/// The limits, unless something is wrong with them.
fn unless(issues: Vec<Issue>, limits: Vec<Limit>) -> Parsed<Vec<Limit>> {
    if issues.is_empty() {
        Ok(limits)
    } else {
        Err(Problems(issues))
    }
}
