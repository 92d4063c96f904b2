//! The sources of the settings: the argument of `configure()`, and the environment.

use crate::input::Value;

/// The argument of `configure()`, kept to distinguish an equal call from a different one. Not `Debug`: it holds
/// secrets.
#[derive(Clone, PartialEq, Default)]
pub struct Options(pub(super) Vec<(String, Value)>);

/// Reads one variable of the environment.
pub type Environ<'a> = &'a dyn Fn(&str) -> Option<String>;
