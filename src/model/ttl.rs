//! The operator's rules for the lifetimes of keys.

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ttl {
    /// The lifetime of a new key without `expiresAt`, in days.
    pub default_days: Option<i32>,
    /// The longest lifetime, in days: a later `expiresAt`, or none, is rejected.
    pub max_days: Option<i32>,
}
