//! What the rules for lists of limits and of quotas have in common.

use super::rules;
use super::value::{Parsed, Problems, Value};
use crate::error::Issue;
use crate::model::{Entries, Entry, LIMIT_NAME_MAX, is_limit_name};

/// A list of entries with names that are all different.
pub(super) fn list<T: Entry>(value: Value, entry: fn(Value) -> Parsed<T>) -> Parsed<Vec<T>> {
    let entries = rules::list(value, Entries::<T>::COUNT_MAX, entry)?;
    let is_used = |index: usize| {
        let (before, rest) = entries.split_at(index);
        before.iter().any(|entry| entry.name() == rest[0].name())
    };
    let issues: Vec<Issue> = (0..entries.len())
        .filter(|index| is_used(*index))
        .map(|index| name_issue(index, "is the name of another one in the list"))
        .collect();
    unless(issues, entries)
}

pub(super) fn name(value: Value) -> Parsed<String> {
    let name = rules::any_text(value)?;
    if is_limit_name(&name) {
        Ok(name)
    } else {
        Err(format!("must have 1 to {LIMIT_NAME_MAX} of the characters A-Z a-z 0-9 . _ -").into())
    }
}

pub(super) fn name_issue(index: usize, message: &str) -> Issue {
    Issue {
        path: format!("[{index}].name"),
        message: message.to_owned(),
    }
}

/// The entries, unless something is wrong with them.
pub(super) fn unless<T>(issues: Vec<Issue>, entries: Vec<T>) -> Parsed<Vec<T>> {
    if issues.is_empty() {
        Ok(entries)
    } else {
        Err(Problems(issues))
    }
}
