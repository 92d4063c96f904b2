//! The environment of a key: production, or everything else.

use serde::Serialize;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Production, the default.
    #[default]
    Live,
    /// Everything else.
    Test,
}

impl Environment {
    pub const ALL: [Self; 2] = [Self::Live, Self::Test];

    /// Its name, which is also the part of a key that tells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }
}

/// The environments whose keys a process accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Environments {
    /// That of new keys that name none.
    pub first: Environment,
    pub has_both: bool,
}

impl Environments {
    /// `None` if there are none.
    #[must_use]
    pub fn new(environments: &[Environment]) -> Option<Self> {
        let first = *environments.first()?;
        Some(Self {
            first,
            has_both: environments.iter().any(|other| *other != first),
        })
    }

    #[must_use]
    pub fn contain(self, environment: Environment) -> bool {
        self.has_both || self.first == environment
    }
}
