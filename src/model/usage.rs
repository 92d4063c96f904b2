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
#[derive(Debug)]
pub struct FleetTotal {
    pub key_id: String,
    pub generation: i32,
    pub total: i64,
    /// The time at which all earlier use had become available again before the batch; unknown if an earlier attempt
    /// stored the batch.
    pub full_at: Option<Timestamp>,
}
