//! The one error of the crate: faults, with the stable codes that callers see.
//!
//! A refusal (wrong key, over the limit) is not an error but a value, see [`crate::model::Refusal`].

/// One field of an input that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Issue {
    /// Where, e.g. `allowedIps[2]`; empty for the input itself.
    pub path: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input breaks the documented rules; every bad field is named at once.
    #[error("Invalid input: {}", summary(.0))]
    InvalidInput(Vec<Issue>),
    #[error("{0} not found")]
    NotFound(&'static str),
    /// Postgres cannot be asked now. Never answered as a refusal.
    #[error("{message}")]
    DatabaseUnavailable {
        message: String,
        retry_after_ms: u64,
    },
    /// More work is queued than can be done in a reasonable time.
    #[error("Too many verifications are queued: try again later")]
    Overloaded { retry_after_ms: u64 },
    /// The operator has to change something: the message says what.
    #[error("{0}")]
    Configuration(String),
    /// A defect or an unexpected answer of the database. Carries no user data.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// How long a caller should wait before it tries again after an outage, in milliseconds.
    pub const RETRY_AFTER_MS: u64 = 1_000;

    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::DatabaseUnavailable {
            message: message.into(),
            retry_after_ms: Self::RETRY_AFTER_MS,
        }
    }

    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidInput(_) => "INVALID_INPUT",
            Self::NotFound(_) => "NOT_FOUND",
            Self::DatabaseUnavailable { .. } => "DATABASE_UNAVAILABLE",
            Self::Overloaded { .. } => "OVERLOADED",
            Self::Configuration(_) => "CONFIGURATION",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The HTTP status that fits.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::InvalidInput(_) => 400,
            Self::NotFound(_) => 404,
            Self::DatabaseUnavailable { .. } | Self::Overloaded { .. } => 503,
            Self::Configuration(_) | Self::Internal(_) => 500,
        }
    }

    #[must_use]
    pub fn retry_after_ms(&self) -> Option<u64> {
        match self {
            Self::DatabaseUnavailable { retry_after_ms, .. }
            | Self::Overloaded { retry_after_ms } => Some(*retry_after_ms),
            _ => None,
        }
    }
}

/// The first few issues in a line, for logs; all of them are in `issues`.
fn summary(issues: &[Issue]) -> String {
    const SHOWN: usize = 3;
    let mut parts: Vec<String> = issues
        .iter()
        .take(SHOWN)
        .map(|issue| match issue.path.as_str() {
            "" => issue.message.clone(),
            path => format!("{path} {}", issue.message),
        })
        .collect();
    if issues.len() > SHOWN {
        parts.push(format!("and {} more", issues.len() - SHOWN));
    }
    parts.join("; ")
}
