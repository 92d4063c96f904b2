//! The usage of keys, on its way to the database and back.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
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
    pub credential: CredentialUse,
    /// The last address, if addresses are stored.
    pub ip: Option<IpAddr>,
    /// All verifies, refused ones too.
    pub counts: UsageCounts,
}

impl KeyUse {
    pub fn add(&mut self, other: Self) {
        self.uses += other.uses;
        let is_later = other.last_used >= self.last_used;
        self.credential.add(other.credential, is_later);
        self.ip = if is_later {
            other.ip.or(self.ip)
        } else {
            self.ip.or(other.ip)
        };
        self.last_used = self.last_used.max(other.last_used);
        self.counts.extend(other.counts);
    }

    /// Takes the counts out, which can be stored without writing the key's row.
    #[must_use]
    pub fn take_counts(&mut self) -> Self {
        Self {
            uses: 0,
            last_used: self.last_used,
            credential: CredentialUse::default(),
            ip: None,
            counts: std::mem::take(&mut self.counts),
        }
    }
}

/// When the current and the previous key of a row were used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CredentialUse {
    /// A number that stands for the current key of the row as it was read: uses before a rotation say nothing of what came after it.
    pub key_number: i64,
    /// The first use of the current key.
    pub current_first: Option<Timestamp>,
    /// The last use of the previous key.
    pub previous_last: Option<Timestamp>,
}

impl CredentialUse {
    fn says_nothing(&self) -> bool {
        self.current_first.is_none() && self.previous_last.is_none()
    }

    /// Adds uses of the same row. If it was rotated in between, those that came later count.
    fn add(&mut self, other: Self, is_later: bool) {
        if other.says_nothing() {
            return;
        }
        if self.says_nothing() {
            *self = other;
            return;
        }
        if self.key_number != other.key_number {
            if is_later {
                *self = other;
            }
            return;
        }
        let firsts = [self.current_first, other.current_first];
        self.current_first = firsts.into_iter().flatten().min();
        self.previous_last = self.previous_last.max(other.previous_last);
    }
}

/// What the uses of a rotated key have to tell, once in the fleet.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationNotice {
    pub key_id: String,
    pub name: String,
    pub client_id: String,
    /// Milliseconds since 1970.
    pub used_at: i64,
    /// The end of the grace period, if it is the previous key that is still used; otherwise the new one was used first.
    pub previous_key_expires_at: Option<i64>,
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
