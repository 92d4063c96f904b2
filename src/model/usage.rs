//! The usage of keys, on its way to the database and back.

use super::limit_id::LimitId;
use super::timestamp::Timestamp;

/// The usage of one process since its last batch. Immutable once built, so that it can be sent again.
#[derive(Debug, Clone, Default)]
pub struct UsageBatch {
    /// Incremented with every batch of the process.
    pub number: i64,
    /// By key, in the order of ids.
    pub uses: Vec<(String, KeyUse)>,
}

impl UsageBatch {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }
}

/// The use of one key since the last batch.
#[derive(Debug, Clone, Copy)]
pub struct KeyUse {
    pub uses: i64,
    pub last_used: Timestamp,
}

impl KeyUse {
    pub fn add(&mut self, other: Self) {
        self.uses += other.uses;
        self.last_used = self.last_used.max(other.last_used);
    }
}

/// What one process has used of limits since its last batch of costs. Immutable once built, so that it can be sent again.
#[derive(Debug, Clone, Default)]
pub struct CostBatch {
    /// Incremented with every batch of the process.
    pub number: i64,
    /// By limit, in the order of ids.
    pub costs: Vec<(LimitId, LimitCost)>,
}

/// What was used of one limit since the last batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitCost {
    pub cost: i64,
    /// The reset generation under which the cost was charged.
    pub generation: i32,
}

impl LimitCost {
    /// Adds another cost. One that was charged under an earlier generation has been reset since, so it is dropped.
    pub fn add(&mut self, other: Self) {
        let generation = self.generation.max(other.generation);
        let charged = |cost: Self| {
            if cost.generation == generation {
                cost.cost
            } else {
                0
            }
        };
        *self = Self {
            cost: charged(*self) + charged(other),
            generation,
        };
    }
}

/// The fleet total of a limit: what all processes together have used of it.
#[derive(Debug, Clone)]
pub struct FleetTotal {
    pub limit_id: LimitId,
    pub generation: i32,
    pub total: i64,
    /// Nanoseconds until everything is available again by the rule that it was used under, apart from what this process
    /// has just added.
    pub debt_ns: i64,
    /// Nanoseconds after which one unit is available again by that rule.
    pub interval_ns: i64,
}

/// The part of a batch that was used of one limit.
#[derive(Debug, Clone)]
pub struct FleetShare {
    pub limit_id: LimitId,
    pub generation: i32,
    pub cost: i64,
    /// Nanoseconds until the part of the cost that is not available again yet is.
    pub debt_ns: i64,
    /// Nanoseconds after which one unit is available again.
    pub interval_ns: i64,
    /// The longest debt that a limit can have: what is beyond it is forgiven.
    pub longest_ns: i64,
}
