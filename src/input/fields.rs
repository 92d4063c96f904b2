//! Reads an object field by field, collects every problem, and rejects unknown fields.

use super::rules;
use super::value::{Parsed, Problems, Value};
use crate::error::{Error, Issue};
use crate::model::{Escaped, FieldChange};

/// The most problems reported for one input: more than the fields and entries that an input can have.
const ISSUES_MAX: usize = 256;

/// How much of the name of an unknown field is repeated: enough to find it, and not enough of a key that was sent in its place.
const NAME_MAX: usize = 24;

/// The fields of one object, taken one by one; those left at the end are unknown.
#[derive(Debug)]
pub struct Fields {
    left: Vec<(String, Value)>,
    issues: Vec<Issue>,
    /// The input is not an object at all, so its fields are not checked.
    broken: bool,
    /// If set, `null` means absent, except for these fields.
    not_nullable: Option<&'static [&'static str]>,
}

impl Fields {
    pub fn of(value: Value) -> Self {
        match value {
            Value::Object(left) => Self {
                left,
                issues: Vec::new(),
                broken: false,
                not_nullable: None,
            },
            Value::Unreadable(why) => Self::broken(why),
            _ => Self::broken("must be an object"),
        }
    }

    /// Like [`Fields::of`], but a missing argument means an object without fields.
    pub fn of_optional(value: Value) -> Self {
        match value {
            Value::Undefined | Value::Null => Self::of(Value::Object(Vec::new())),
            value => Self::of(value),
        }
    }

    fn broken(message: &str) -> Self {
        let issue = Issue {
            path: String::new(),
            message: message.to_owned(),
        };
        Self {
            left: Vec::new(),
            issues: vec![issue],
            broken: true,
            not_nullable: None,
        }
    }

    /// Reports each of these fields that is missing.
    pub fn require(&mut self, names: &[&str]) {
        for name in names {
            let is_there =
                |(field, value): &(String, Value)| field == name && *value != Value::Undefined;
            if !self.left.iter().any(is_there) {
                self.fail(name, "is required");
            }
        }
    }

    /// Treats `null` as absent in the fields that are read from now on, except for these.
    pub fn treat_null_as_absent_except(&mut self, names: &'static [&'static str]) {
        self.not_nullable = Some(names);
    }

    /// A field that must be present.
    pub fn required<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Parsed<T>) -> Option<T> {
        match self.take(name) {
            Some(value) => self.apply(name, rule, value),
            None => {
                self.fail(name, "is required");
                None
            }
        }
    }

    /// A field that may be left out or `null`.
    pub fn optional<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Parsed<T>) -> Option<T> {
        match self.take(name) {
            None | Some(Value::Null) => None,
            Some(value) => self.apply(name, rule, value),
        }
    }

    /// Text that a client sent unchecked: a malformed one counts as unknown, never as a problem.
    pub fn unknown_or<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match self.take(name)? {
            Value::Null | Value::BadText(_) => None,
            value => self
                .apply(name, rules::any_text, value)
                .and_then(|text| read(&text)),
        }
    }

    /// A field of a change that cannot be cleared.
    pub fn change<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(Value) -> Parsed<T>,
    ) -> FieldChange<T> {
        self.take(name)
            .and_then(|value| self.apply(name, rule, value))
            .map_or(FieldChange::Keep, FieldChange::Set)
    }

    /// A field of a change that `null` clears.
    pub fn clearable<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(Value) -> Parsed<T>,
    ) -> FieldChange<Option<T>> {
        match self.take(name) {
            None => FieldChange::Keep,
            Some(Value::Null) => FieldChange::Set(None),
            Some(value) => self
                .apply(name, rule, value)
                .map_or(FieldChange::Keep, |value| FieldChange::Set(Some(value))),
        }
    }

    /// A list of a change, which `null` empties.
    pub fn emptiable<T: Default>(
        &mut self,
        name: &str,
        rule: impl FnOnce(Value) -> Parsed<T>,
    ) -> FieldChange<T> {
        match self.clearable(name, rule) {
            FieldChange::Keep => FieldChange::Keep,
            FieldChange::Set(list) => FieldChange::Set(list.unwrap_or_default()),
        }
    }

    /// Reports the violation of a rule, also of one that spans several fields.
    pub fn fail(&mut self, path: &str, message: &str) {
        if !self.broken {
            self.issues.push(Issue {
                path: path.to_owned(),
                message: message.to_owned(),
            });
        }
    }

    /// Whether no field that was read has a problem, and none is left.
    pub fn are_right(&self) -> bool {
        self.left.is_empty() && self.issues.is_empty()
    }

    /// Returns the result, or the problems if there are any. `read` is `None` only after a problem.
    pub fn finish<T>(mut self, read: Option<T>) -> Result<T, Error> {
        for (name, _) in std::mem::take(&mut self.left) {
            self.fail(
                Escaped::cut(&name, NAME_MAX).as_str(),
                "is not a known field",
            );
        }
        match read {
            Some(value) if self.issues.is_empty() => Ok(value),
            _ => Err(Error::InvalidInput(bounded(self.issues))),
        }
    }

    /// As [`finish`](Self::finish), for an object in a field of another one.
    pub fn finish_nested<T>(self, read: Option<T>) -> Parsed<T> {
        self.finish(read).map_err(|error| match error {
            Error::InvalidInput(issues) => Problems(issues.into_iter().map(relative).collect()),
            _ => "cannot be read".into(),
        })
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.left.iter().position(|(field, _)| field == name)?;
        let is_nullable = || {
            self.not_nullable
                .is_some_and(|names| !names.contains(&name))
        };
        match self.left.swap_remove(at).1 {
            Value::Undefined => None,
            Value::Null if is_nullable() => None,
            value => Some(value),
        }
    }

    fn apply<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(Value) -> Parsed<T>,
        value: Value,
    ) -> Option<T> {
        match value.readable().and_then(rule) {
            Ok(value) => Some(value),
            Err(Problems(issues)) => {
                self.issues.extend(issues.into_iter().map(|issue| Issue {
                    path: format!("{name}{}", issue.path),
                    message: issue.message,
                }));
                None
            }
        }
    }
}

/// The path of a field inside of another one.
fn relative(issue: Issue) -> Issue {
    let path = match issue.path.as_str() {
        "" => String::new(),
        field => format!(".{field}"),
    };
    Issue { path, ..issue }
}

/// Limits the number of problems, and notes that there are more. Escapes the field names in paths, which the caller
/// chose.
fn bounded(mut issues: Vec<Issue>) -> Vec<Issue> {
    let more = issues.len().saturating_sub(ISSUES_MAX);
    issues.truncate(ISSUES_MAX);
    for issue in &mut issues {
        issue.path = Escaped::new(&issue.path).into();
    }
    if more > 0 {
        issues.push(Issue {
            path: String::new(),
            message: format!("has {more} more problems"),
        });
    }
    issues
}

/// Reads an argument that is a single value, not an object.
pub fn argument<T>(
    name: &str,
    value: Value,
    rule: impl FnOnce(Value) -> Parsed<T>,
) -> Result<T, Error> {
    let mut fields = Fields::of(Value::Object(vec![(name.to_owned(), value)]));
    let read = fields.required(name, rule);
    fields.finish(read)
}
