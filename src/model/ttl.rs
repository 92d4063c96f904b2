//! The operator's rules for lifetimes of keys.

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ttl {
    /// Fills an absent `expiresAt` at creation.
    pub default_days: Option<i32>,
    /// Refuses a later `expiresAt`, or none.
    pub max_days: Option<i32>,
}
