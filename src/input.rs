//! Reading untrusted input. The boundary turns a JavaScript value into a [`Value`] without judging it;
//! [`Fields`] reads an object field by field, collects every problem, and refuses unknown fields.

pub mod page;
pub mod rules;

use crate::error::{Error, Issue};
use crate::shown::Shown;

/// Problems of one input that are told: more than the fields and entries that an input can have.
const ISSUES_MAX: usize = 256;

/// A JavaScript value, as far as an input may need it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A `Date`, in milliseconds since the epoch; NaN for an invalid one.
    Date(f64),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    /// A string that is too long for any field, or not well-formed; the message completes "name …".
    BadText(&'static str),
    /// Nothing that any input accepts; the message completes "name …".
    Unreadable(&'static str),
}

impl Value {
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn readable(self) -> Parsed<Self> {
        match self {
            Self::Unreadable(why) | Self::BadText(why) => Err(why.into()),
            value => Ok(value),
        }
    }
}

/// What is wrong with one field; paths are relative to the field.
#[derive(Debug, PartialEq)]
pub struct Problems(pub Vec<Issue>);

impl From<String> for Problems {
    fn from(message: String) -> Self {
        Self(vec![Issue {
            path: String::new(),
            message,
        }])
    }
}

impl From<&str> for Problems {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

pub type Parsed<T> = Result<T, Problems>;

/// What a change says of one field.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Change<T> {
    #[default]
    Keep,
    Set(T),
}

impl<T: Clone> Change<T> {
    pub fn apply(&self, current: &mut T) {
        if let Self::Set(value) = self {
            current.clone_from(value);
        }
    }
}

/// The fields of one object, taken one by one; what is left at the end is unknown.
#[derive(Debug)]
pub struct Fields {
    left: Vec<(String, Value)>,
    issues: Vec<Issue>,
    /// There is no object at all: nothing is said of its fields.
    broken: bool,
}

impl Fields {
    pub fn of(value: Value) -> Self {
        match value {
            Value::Object(left) => Self {
                left,
                issues: Vec::new(),
                broken: false,
            },
            Value::Unreadable(why) => Self::broken(why),
            _ => Self::broken("must be an object"),
        }
    }

    /// Like [`Fields::of`], where leaving the argument out means no fields.
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
        }
    }

    /// A field that must be there.
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

    /// A text that comes from a client as it is: where it makes no sense it counts as unknown, never as a fault.
    pub fn unknown_or<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        match self.take(name)? {
            Value::Null | Value::BadText(_) => None,
            value => self
                .apply(name, rules::any_text, value)
                .and_then(|text| read(&text)),
        }
    }

    /// A field of a change that cannot be cleared.
    pub fn change<T>(&mut self, name: &str, rule: impl FnOnce(Value) -> Parsed<T>) -> Change<T> {
        self.take(name)
            .and_then(|value| self.apply(name, rule, value))
            .map_or(Change::Keep, Change::Set)
    }

    /// A field of a change where `null` clears.
    pub fn clearable<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(Value) -> Parsed<T>,
    ) -> Change<Option<T>> {
        match self.take(name) {
            None => Change::Keep,
            Some(Value::Null) => Change::Set(None),
            Some(value) => self
                .apply(name, rule, value)
                .map_or(Change::Keep, |value| Change::Set(Some(value))),
        }
    }

    /// Records a rule that spans fields.
    pub fn fail(&mut self, path: &str, message: &str) {
        if !self.broken {
            self.issues.push(Issue {
                path: path.to_owned(),
                message: message.to_owned(),
            });
        }
    }

    /// The result of reading, unless anything was wrong. `read` is `None` only after a problem.
    pub fn finish<T>(mut self, read: Option<T>) -> Result<T, Error> {
        for (name, _) in std::mem::take(&mut self.left) {
            self.fail(rules::shown(&name).as_str(), "is not a known field");
        }
        match read {
            Some(value) if self.issues.is_empty() => Ok(value),
            _ => Err(Error::InvalidInput(bounded(self.issues))),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.left.iter().position(|(field, _)| field == name)?;
        match self.left.swap_remove(at).1 {
            Value::Undefined => None,
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

/// As many as can be told, and that there are more. The names of fields in a path were chosen by the caller.
fn bounded(mut issues: Vec<Issue>) -> Vec<Issue> {
    let more = issues.len().saturating_sub(ISSUES_MAX);
    issues.truncate(ISSUES_MAX);
    for issue in &mut issues {
        issue.path = Shown::new(&issue.path).into();
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
