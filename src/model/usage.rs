//! The usage of keys, on its way to the database and back.

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

    /// Whether a use in it cost a part of a rate limit.
    #[must_use]
    pub fn has_costs(&self) -> bool {
        self.uses.iter().any(|(_, counted)| counted.cost > 0)
    }
}

/// The use of one key since the last batch.
#[derive(Debug, Clone, Copy)]
pub struct KeyUse {
    pub uses: i64,
    /// The part of the rate limit that the uses cost.
    pub cost: i64,
    /// The reset generation under which the cost was charged.
    pub generation: i32,
    pub last_used: Timestamp,
}

impl KeyUse {
    /// Adds another use. A cost charged under an earlier generation has been reset since, so it is dropped.
    pub fn add(&mut self, other: Self) {
        let generation = self.generation.max(other.generation);
        let charged = |counted: Self| {
            if counted.generation == generation {
                counted.cost
            } else {
                0
            }
        };
        *self = Self {
            uses: self.uses + other.uses,
            cost: charged(*self) + charged(other),
            generation,
            last_used: self.last_used.max(other.last_used),
        };
    }
}

/// The fleet total of a key: what all processes together have used of its rate limit.
#[derive(Debug, Clone)]
pub struct FleetTotal {
    pub key_id: String,
    pub generation: i32,
    pub total: i64,
    /// Nanoseconds until everything is available again by the rule that it was used under, apart from what this process
    /// has just added.
    pub debt_ns: i64,
    /// Nanoseconds after which one unit is available again by that rule.
    pub interval_ns: i64,
}

/// The part of a batch that one key has used of its rate limit.
#[derive(Debug, Clone)]
pub struct FleetShare {
    pub key_id: String,
    pub generation: i32,
    pub cost: i64,
    /// Nanoseconds until the part of the cost that is not available again yet is.
    pub debt_ns: i64,
    /// Nanoseconds after which one unit is available again.
    pub interval_ns: i64,
    /// The longest debt that a key can have: what is beyond it is forgiven.
    pub longest_ns: i64,
}
