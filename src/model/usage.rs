//! The usage of keys, on its way to the database and back.

use std::sync::Arc;

use smallvec::SmallVec;

use super::limit_id::LimitId;
use super::policy::Refusal;
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

    /// Whether rows of keys are written.
    #[must_use]
    pub fn has_uses(&self) -> bool {
        self.uses.iter().any(|(_, counted)| counted.uses > 0)
    }
}

/// The use of one key since the last batch.
#[derive(Debug, Clone)]
pub struct KeyUse {
    /// Accepted verifies.
    pub uses: i64,
    pub last_used: Timestamp,
    /// All verifies, refused ones too.
    pub counts: UsageCounts,
}

impl KeyUse {
    pub fn add(&mut self, other: Self) {
        self.uses += other.uses;
        self.last_used = self.last_used.max(other.last_used);
        self.counts.extend(other.counts);
    }

    /// Takes the counts out, which can be stored without writing the key's row.
    #[must_use]
    pub fn take_counts(&mut self) -> Self {
        Self {
            uses: 0,
            last_used: self.last_used,
            counts: std::mem::take(&mut self.counts),
        }
    }
}

/// Most keys have one: it is where the key's other counts are.
pub type UsageCounts = SmallVec<[UsageCount; 1]>;

/// The verifies of one key in a quarter of an hour, with one tag and one outcome.
#[derive(Debug, Clone)]
pub struct UsageCount {
    pub client_id: Box<str>,
    pub tag: Option<Arc<str>>,
    /// `None` if they were accepted.
    pub refusal: Option<Refusal>,
    pub quarter: QuarterHour,
    pub count: i64,
    /// What was charged. Settling at less than that makes it negative.
    pub cost: i64,
}

/// A quarter of an hour, by its number since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuarterHour(pub i64);

impl QuarterHour {
    const MILLIS: i64 = 900_000;

    #[must_use]
    pub fn of(at: Timestamp) -> Self {
        Self(at.millis().div_euclid(Self::MILLIS))
    }
}

/// Where a range of time begins or ends.
#[derive(Debug, Clone, Copy)]
pub struct RangeEnd {
    pub at: Timestamp,
    /// It is a day without a time, which begins by the calendar of the query's time zone.
    pub is_day: bool,
}

/// What usage over time is asked for.
#[derive(Debug)]
pub struct UsageQuery {
    /// Of one key, of the keys of one client, or of all.
    pub key_id: Option<String>,
    pub client_id: Option<String>,
    pub from: RangeEnd,
    pub to: RangeEnd,
    /// `hour`, `day` or `month`, of the time zone.
    pub bucket: &'static str,
    pub group_by: Vec<&'static str>,
    pub time_zone: String,
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
