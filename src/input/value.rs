//! A JavaScript value as the boundary passes it on, unchecked.

use crate::error::Issue;

/// A JavaScript value, reduced to what an input may contain.
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
    /// A value of a type that no input accepts; the message completes "name …".
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

    pub(super) fn readable(self) -> Parsed<Self> {
        match self {
            Self::Unreadable(why) | Self::BadText(why) => Err(why.into()),
            value => Ok(value),
        }
    }
}

/// A problem with one field; the path is relative to the field.
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
