//! What a process and the database tell each other about a quota.

use std::time::Duration;

use serde::Serialize;

use crate::model::{LimitId, LimitOwner};

/// Which quota it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaKey {
    pub id: LimitId,
    /// `key` or `client`.
    pub owner: &'static str,
    pub owner_id: Box<str>,
    pub name: Box<str>,
}

impl QuotaKey {
    /// The owner of the quota of a key.
    pub const OF_KEY: &'static str = "key";

    #[must_use]
    pub fn of(owner: LimitOwner<'_>, name: &str) -> Self {
        let (kind, owner_id) = match owner {
            LimitOwner::Key(id) => (Self::OF_KEY, id),
            LimitOwner::Client(id) => ("client", id),
        };
        Self {
            id: owner.limit(name),
            owner: kind,
            owner_id: owner_id.into(),
            name: name.into(),
        }
    }
}

/// Why a process asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It needs units, or will soon.
    Lease,
    /// It tells what it has spent, and keeps the rest.
    Report,
    /// It gives back what it has not spent.
    Return,
}

/// What a process has spent of a balance, and what it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRequest {
    pub held: Vec<SpentPart>,
    /// The unspent units that it would like to have.
    pub wanted: i64,
    /// Those that the most expensive request needs that waits.
    pub needed: i64,
    /// Those that others are known not to give back.
    pub unreturned: i64,
    /// Whether it spends none before the answer: only then units can be taken back.
    pub is_still: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpentPart {
    pub balance: i64,
    pub spent: i64,
}

/// The state of a quota, as the database answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseAnswer {
    pub amount: i64,
    /// The units that no process has leased.
    pub free: i64,
    /// The units that other processes have leased and not spent.
    pub withheld: i64,
    /// `None` if the quota is never full again.
    pub resets_in: Option<Duration>,
    /// What this process has leased, in the order of its use.
    pub leases: Vec<LeasedPart>,
}

/// What a process has leased of a balance since it was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeasedPart {
    pub balance: i64,
    pub leased: i64,
    /// As the process has said.
    pub spent: i64,
    /// `None` if the balance never ends.
    pub ends_in: Option<Duration>,
}
