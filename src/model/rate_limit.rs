//! The state of a rate limit, as answers report it.

/// The remainder of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per window.
    pub limit: u32,
    /// Requests that would be allowed now.
    pub remaining: u32,
    /// Milliseconds until the limit is full again, rounded up.
    pub reset_ms: u64,
    /// The window in seconds.
    pub window_seconds: u64,
}
