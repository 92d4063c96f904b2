//! What is used of a quota, and what is added to it.

use serde::Serialize;

use super::quota::Period;
use super::timestamp::Timestamp;

/// What is used of a quota in its current period, and what is left.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QuotaState {
    pub name: String,
    pub amount: i64,
    pub period: Period,
    /// What was used in this period, including what came from grants.
    pub used: i64,
    /// What is left of grants.
    pub granted: i64,
    /// What is left of the amount and of grants.
    pub remaining: i64,
    /// The part of it that processes have leased and not spent.
    pub withheld: i64,
    /// When the next period begins; `None` if none does.
    pub resets_at: Option<Timestamp>,
}

/// Units that are added to a quota, and used after those of its periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaGrant {
    pub amount: i64,
    /// `None`: it never ends.
    pub expires_at: Option<Timestamp>,
    /// The digest of the idempotency key: the same grant is not made twice with it.
    pub idempotency_key: Option<[u8; 32]>,
}

/// What became of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    Now,
    /// By an earlier call with the same idempotency key.
    Before,
    /// There is no such quota.
    Nothing,
}

impl QuotaGrant {
    /// The most grants of one quota that are not used up.
    pub const COUNT_MAX: i32 = 100;
}
