//! What keys were used, on its way to the database and back.

use super::timestamp::Timestamp;

/// Usage of one process since its last batch. Immutable once made, so that it can be sent again.
#[derive(Debug, Clone, Default)]
pub struct UsageBatch {
    /// Rises by one with every batch of the process.
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
    /// What the uses cost of the rate limit.
    pub cost: i64,
    /// The reset generation under which the cost was charged.
    pub generation: i32,
    pub last_used: Timestamp,
}

impl KeyUse {
    /// A cost that was charged under an earlier generation was reset since.
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

/// What all processes together have used of a key's rate limit.
#[derive(Debug)]
pub struct FleetTotal {
    pub key_id: String,
    pub generation: i32,
    pub total: i64,
    /// When all of it had returned before the batch; unknown where the batch was stored by an earlier attempt.
    pub full_at: Option<Timestamp>,
}
