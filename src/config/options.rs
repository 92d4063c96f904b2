//! What the settings are read from: the argument of `configure()`, and the environment.

use crate::input::Value;

/// What `configure()` was given: kept to tell an equal call from a different one.
/// Not `Debug`: it holds secrets as they came.
#[derive(Clone, PartialEq, Default)]
pub struct Options(pub(super) Vec<(String, Value)>);

/// Reads one variable of the environment.
pub type Environ<'a> = &'a dyn Fn(&str) -> Option<String>;
