//! The answer to a request that a quota is charged for.

use super::taken::Taken;

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuotaAnswer {
    Charged(Taken),
    /// The process must ask the database first.
    Unknown,
    /// Neither this process nor the database has as many units.
    Exceeded {
        /// Milliseconds until there may be as many again; `None` if the same request will never be within the quota.
        retry_after_ms: Option<u64>,
    },
}
