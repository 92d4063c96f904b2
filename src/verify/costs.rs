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
pub enum Costs<'a> {
    /// Of every limit.
    Each(u32),
    /// Of the limits with these names, and 1 of every other.
    Named(Box<[(Box<str>, u32)]>),
    /// The same as text: on each line a name, a space and a cost.
    Lines(&'a str),
}

impl Default for Costs<'_> {
    fn default() -> Self {
        Self::ONE
    }
}

impl Costs<'_> {
    pub(super) const ONE: Self = Self::Each(1);
}

impl Costs<'static> {
    pub fn read(value: Value) -> Parsed<Self> {
        let Value::Object(entries) = value else {
            return cost(value).map(Self::Each);
        };
        if entries.len() > NAMES_MAX {
            return Err(format!("must have at most {NAMES_MAX} fields").into());
        }
        let (mut costs, mut issues) = (Vec::new(), Vec::new());
        for (name, value) in entries {
            // As in JSON: an undefined field is left out.
            if value == Value::Undefined {
                continue;
            }
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
}

impl<'a> Costs<'a> {
    /// A cost of every limit; `None` if it is out of range.
    #[must_use]
    pub fn each(cost: u32) -> Option<Self> {
        is_cost(cost).then_some(Self::Each(cost))
    }

    /// The costs on these lines; `None` if one of them is none.
    #[must_use]
    pub fn lines(lines: &'a str) -> Option<Self> {
        let are_few = lines.split('\n').nth(NAMES_MAX).is_none();
        let are_costs = || lines.split('\n').all(|line| line_cost(line).is_some());
        (are_few && are_costs()).then_some(Self::Lines(lines))
    }

    /// The cost of the limit with this name.
    #[must_use]
    pub fn of(&self, name: &str) -> u32 {
        self.said_of(name).unwrap_or(1)
    }

    /// The cost that is said of the limit with this name; `None` if none is.
    #[must_use]
    pub fn said_of(&self, name: &str) -> Option<u32> {
        if let Self::Each(cost) = self {
            return Some(*cost);
        }
        let mut named = self.named();
        named
            .find(|(named, _)| *named == name)
            .map(|(_, cost)| cost)
    }

    /// The cost by which the usage of the key grows: the number, or the sum of what is said of limits and quotas that the key
    /// has, each name once.
    #[must_use]
    pub(super) fn of_request(&self, key: &CachedKey) -> u64 {
        match self {
            Self::Each(cost) => (*cost).into(),
            _ => self
                .named()
                .filter(|(name, _)| has_limit(key, name))
                .map(|(_, cost)| u64::from(cost))
                .sum(),
        }
    }

    /// Whether costs are said by name.
    #[must_use]
    pub(super) fn are_named(&self) -> bool {
        !matches!(self, Self::Each(_))
    }

    /// Whether no cost is said.
    #[must_use]
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::Named(costs) if costs.is_empty())
    }

    fn named(&self) -> impl Iterator<Item = (&str, u32)> {
        let (list, lines): (&[_], _) = match self {
            Self::Each(_) => (&[], None),
            Self::Named(costs) => (costs, None),
            Self::Lines(lines) => (&[], Some(lines.split('\n').filter_map(line_cost))),
        };
        let list = list.iter().map(|(name, cost)| (&**name, *cost));
        list.chain(lines.into_iter().flatten())
    }

    /// Fails if a name is that of no limit or quota of the key and the clients above it.
    pub(super) fn require_limits_of(&self, key: &CachedKey) -> Result<(), Error> {
        if matches!(self, Self::Each(_)) {
            return Ok(());
        }
        let unknown = self.named().filter(|(name, _)| !has_limit(key, name));
        let issues: Vec<Issue> = unknown
            .map(|(name, _)| Issue {
                path: format!("cost.{}", rules::escaped_name(name)),
                message: "is not the name of a limit or quota of the key or its client".to_owned(),
            })
            .collect();
        Error::of_issues(issues)
    }
}

/// Whether the key or a client above it has a limit or quota with this name.
fn has_limit(key: &CachedKey, name: &str) -> bool {
    key.limits().any(|limit| limit.limit.name == name)
        || key.quotas().any(|quota| *quota.quota.name == *name)
}

fn cost(value: Value) -> Parsed<u32> {
    let cost = rules::integer(COST)(value)?;
    Ok(u32::try_from(cost).unwrap_or_default())
}

fn is_cost(cost: u32) -> bool {
    i32::try_from(cost).is_ok_and(|cost| COST.contains(&cost))
}

fn line_cost(line: &str) -> Option<(&str, u32)> {
    let (name, cost) = line.rsplit_once(' ')?;
    let cost = cost.parse().ok()?;
    is_cost(cost).then_some((name, cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_the_same_as_a_map_and_as_lines() {
        let number = |number: f64| Value::Number(number);
        let map = vec![
            ("tokens".to_owned(), number(5.0)),
            ("images".to_owned(), number(0.0)),
        ];
        let map = Costs::read(Value::Object(map)).unwrap();
        let lines = Costs::lines("tokens 5\nimages 0").unwrap();
        for costs in [map, lines] {
            let of = ["tokens", "images", "other"].map(|name| costs.of(name));
            assert_eq!(of, [5, 0, 1]);
        }
    }

    #[test]
    fn lines_that_are_no_costs_are_not_read() {
        for lines in [
            "",
            "tokens",
            "tokens 5\n",
            "tokens -1",
            "tokens 1000001",
            "tokens 1.5",
        ] {
            assert_eq!(Costs::lines(lines), None, "{lines:?}");
        }
        let many = ["name 1"; NAMES_MAX + 1].join("\n");
        assert_eq!(Costs::lines(&many), None);
        assert!(Costs::lines(&many["name 1\n".len()..]).is_some());
    }
}
