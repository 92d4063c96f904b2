//! The error type of the crate: faults, with the stable codes that callers see.
//!
//! A refusal (wrong key, over the limit) is not an error but a value, see [`crate::model::Refusal`].

mod conflict;
mod origin;

use std::panic::Location;

pub use conflict::Conflict;
pub use origin::Origin;

/// A problem with one field of an input.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Issue {
    /// The location, e.g. `allowedIps[2]`; empty for the input itself.
    pub path: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input breaks the documented rules; every bad field is reported at once.
    #[error("Invalid input: {}", summary(.0))]
    InvalidInput(Vec<Issue>),
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The idempotency key belongs to a creation with another input.
    #[error("The idempotency key was used with another input: use a new one for another key")]
    IdempotencyKeyReused,
    /// The state of the rows does not permit the change.
    #[error("{0}")]
    Conflict(Conflict),
    /// Postgres does not answer now. Never reported as a refusal.
    #[error("{message}")]
    DatabaseUnavailable {
        message: String,
        retry_after_ms: u64,
        #[source]
        origin: Option<Origin>,
    },
    /// More work is queued than can be done in a reasonable time.
    #[error("Too many calls are queued: try again later")]
    Overloaded { retry_after_ms: u64 },
    /// An address presents too many keys that do not exist.
    #[error("Too many invalid API keys from this address: try again later")]
    Throttled { retry_after_ms: u64 },
    /// The operator has to change something; the message says what.
    #[error("{message}")]
    Configuration {
        message: String,
        #[source]
        origin: Option<Origin>,
    },
    /// A defect, or an unexpected answer of the database. The message contains no user data.
    #[error("{message}")]
    Internal {
        message: String,
        #[source]
        origin: Option<Origin>,
    },
}

impl Error {
    /// The retry hint during an outage, in milliseconds.
    pub const RETRY_AFTER_MS: u64 = 1_000;

    /// The error of work that would take too long.
    pub const OVERLOADED: Self = Self::Overloaded {
        retry_after_ms: Self::RETRY_AFTER_MS,
    };

    /// The codes with which a verify can fail, in the order of the metrics.
    pub const VERIFY_CODES: [&'static str; 5] = [
        "INVALID_INPUT",
        "DATABASE_UNAVAILABLE",
        "OVERLOADED",
        "CONFIGURATION",
        "INTERNAL",
    ];

    /// Fails if there is an issue.
    pub fn of_issues(issues: Vec<Issue>) -> Result<(), Self> {
        if issues.is_empty() {
            Ok(())
        } else {
            Err(Self::InvalidInput(issues))
        }
    }

    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::DatabaseUnavailable {
            message: message.into(),
            retry_after_ms: Self::RETRY_AFTER_MS,
            origin: None,
        }
    }

    #[must_use]
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::Configuration {
            message: message.into(),
            origin: None,
        }
    }

    /// A defect noticed at the location of the caller.
    #[track_caller]
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Internal {
            message: message.into(),
            origin: Some(Origin::at(Location::caller())),
        }
    }

    /// Sets the origin of the fault.
    #[must_use]
    pub fn caused_by(mut self, cause: Origin) -> Self {
        match &mut self {
            Self::DatabaseUnavailable { origin, .. }
            | Self::Configuration { origin, .. }
            | Self::Internal { origin, .. } => *origin = Some(cause),
            _ => {}
        }
        self
    }

    /// Whether the database answered that it does not accept what was sent, whatever the reason that it gave: a trigger of
    /// the app may choose any. Or whether its answer holds a row that cannot be read. The same without the value or row that
    /// is wrong may succeed.
    #[must_use]
    pub fn is_rejection(&self) -> bool {
        /// A connection, a server that shuts down or is read-only, its resources, and a statement that took too long: these
        /// would befall any other statement too.
        const NOT_OF_A_ROW: [&str; 5] = ["08", "25", "53", "57", "58"];
        let Some(origin) = self.origin() else {
            return false;
        };
        let is_of_a_row = |code: &str| !NOT_OF_A_ROW.iter().any(|class| code.starts_with(class));
        origin.is_of_a_row() || origin.sqlstate().is_some_and(is_of_a_row)
    }

    /// The origin, if known.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Self::DatabaseUnavailable { origin, .. }
            | Self::Configuration { origin, .. }
            | Self::Internal { origin, .. } => origin.as_ref(),
            _ => None,
        }
    }

    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "INVALID_INPUT",
            Self::NotFound(_) => "NOT_FOUND",
            Self::IdempotencyKeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Conflict(_) => "CONFLICT",
            Self::DatabaseUnavailable { .. } => "DATABASE_UNAVAILABLE",
            Self::Overloaded { .. } | Self::Throttled { .. } => "OVERLOADED",
            Self::Configuration { .. } => "CONFIGURATION",
            Self::Internal { .. } => "INTERNAL",
        }
    }

    /// The matching HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidInput(_) => 400,
            Self::NotFound(_) => 404,
            Self::Conflict(_) => 409,
            Self::IdempotencyKeyReused => 422,
            Self::DatabaseUnavailable { .. } | Self::Overloaded { .. } | Self::Throttled { .. } => {
                503
            }
            Self::Configuration { .. } | Self::Internal { .. } => 500,
        }
    }

    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::DatabaseUnavailable { retry_after_ms, .. }
            | Self::Overloaded { retry_after_ms }
            | Self::Throttled { retry_after_ms } => Some(*retry_after_ms),
            _ => None,
        }
    }
}

/// The first few issues in one line, for logs; `issues` has all of them.
fn summary(issues: &[Issue]) -> String {
    const NAMED_MAX: usize = 3;
    let mut parts: Vec<String> = issues
        .iter()
        .take(NAMED_MAX)
        .map(|issue| match issue.path.as_str() {
            "" => issue.message.clone(),
            path => format!("{path} {}", issue.message),
        })
        .collect();
    if issues.len() > NAMED_MAX {
        parts.push(format!("and {} more", issues.len() - NAMED_MAX));
    }
    parts.join("; ")
}
