//! The actor of a change, as the app names it.

use super::escaped::Escaped;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    #[must_use]
    pub fn new(name: String) -> Self {
        Self(name)
    }

    /// The name as it is stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as it appears in events.
    #[must_use]
    pub fn escaped(&self) -> Escaped {
        Escaped::new(&self.0)
    }
}
