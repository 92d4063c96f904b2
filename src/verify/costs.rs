//! What a request costs of each limit.

use crate::cached_key::CachedKey;
use crate::error::{Error, Issue};
use crate::input::{Parsed, Problems, Value, rules};

/// Units of a limit that one request may cost.
const COST: std::ops::RangeInclusive<i32> = 0..=1_000_000;
/// The most limits that a map of costs may name: more than a key and the clients above it can have.
const NAMES_MAX: usize = 64;

/// The cost of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Costs {
    /// Of every limit.
    Each(u32),
    /// Of the limits with these names, and 1 of every other.
    Named(Box<[(Box<str>, u32)]>),
}

impl Default for Costs {
    fn default() -> Self {
        Self::Each(1)
    }
}

impl Costs {
    pub fn read(value: Value) -> Parsed<Self> {
        let Value::Object(entries) = value else {
            return cost(value).map(Self::Each);
        };
        if entries.len() > NAMES_MAX {
            return Err(format!("must have at most {NAMES_MAX} fields").into());
        }
        let (mut costs, mut issues) = (Vec::new(), Vec::new());
        for (name, value) in entries {
            match cost(value) {
                Ok(cost) => costs.push((name.into(), cost)),
                Err(Problems(found)) => issues.extend(found.into_iter().map(|issue| Issue {
                    path: format!(".{}", rules::escaped_name(&name)),
                    ..issue
                })),
            }
        }
        if issues.is_empty() {
            Ok(Self::Named(costs.into()))
        } else {
            Err(Problems(issues))
        }
    }

    /// A cost of every limit; `None` if it is out of range.
    #[must_use]
    pub fn each(cost: u32) -> Option<Self> {
        let fits = i32::try_from(cost).is_ok_and(|cost| COST.contains(&cost));
        fits.then_some(Self::Each(cost))
    }

    /// The cost of the limit with this name.
    #[must_use]
    pub fn of(&self, name: &str) -> u32 {
        match self {
            Self::Each(cost) => *cost,
            Self::Named(costs) => costs
                .iter()
                .find(|(named, _)| **named == *name)
                .map_or(1, |(_, cost)| *cost),
        }
    }

    /// Fails if a name is that of no limit of the key and the clients above it.
    pub(super) fn require_limits_of(&self, key: &CachedKey) -> Result<(), Error> {
        let Self::Named(costs) = self else {
            return Ok(());
        };
        let is_unknown = |name: &str| !key.limits().any(|limit| limit.limit.name == name);
        let unknown = costs.iter().filter(|(name, _)| is_unknown(name));
        let issues: Vec<Issue> = unknown
            .map(|(name, _)| Issue {
                path: format!("cost.{}", rules::escaped_name(name)),
                message: "is not the name of a limit of the key or its client".to_owned(),
            })
            .collect();
        if issues.is_empty() {
            Ok(())
        } else {
            Err(Error::InvalidInput(issues))
        }
    }
}

fn cost(value: Value) -> Parsed<u32> {
    let cost = rules::integer(COST)(value)?;
    Ok(u32::try_from(cost).unwrap_or_default())
}
