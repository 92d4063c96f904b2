//! The quotas that a key or client names: so many units per period of the calendar.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::entries::{Entries, Entry};
use super::limit::is_limit_name;

/// One quota. It is full again when the next period begins; nothing is carried over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    pub name: String,
    pub amount: i64,
    pub period: Period,
    /// The time zone of the calendar, by its IANA name.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// The day on which a week or month begins; `None` for other periods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor_day: Option<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Period {
    Day,
    Week,
    Month,
    /// One that never ends.
    Total,
}

impl Period {
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::Total];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The days on which it may begin: of the week by ISO 8601, where Monday is 1, or of the month, where a shorter month has
    /// its last day instead.
    #[must_use]
    pub fn anchor_days(self) -> Option<RangeInclusive<i32>> {
        match self {
            Self::Week => Some(1..=7),
            Self::Month => Some(1..=31),
            Self::Day | Self::Total => None,
        }
    }
}

pub type Quotas = Entries<Quota>;

pub const UTC: &str = "UTC";

fn utc() -> String {
    UTC.to_owned()
}

impl Quota {
    pub const AMOUNT_MAX: i64 = 1_000_000_000_000;

    /// Whether the text has the form of the name of a time zone. Whether there is one with this name, the database knows.
    #[must_use]
    pub fn is_time_zone(text: &str) -> bool {
        const LENGTH_MAX: usize = 64;
        let fits = |c: u8| c.is_ascii_alphanumeric() || b"_+-/".contains(&c);
        (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(fits)
    }

    /// The memory of its texts, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.time_zone.len()
    }
}

impl Entry for Quota {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_valid(&self) -> bool {
        let days = self.period.anchor_days();
        let has_its_day = match self.anchor_day {
            Some(day) => days.is_some_and(|days| days.contains(&day)),
            None => true,
        };
        is_limit_name(&self.name)
            && (0..=Self::AMOUNT_MAX).contains(&self.amount)
            && Self::is_time_zone(&self.time_zone)
            && has_its_day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_writer_stores_is_a_list_of_quotas_or_unreadable() {
        let quotas = Quotas::stored(r#"[{"name": "calls", "amount": 0, "period": "month"}]"#);
        let quota = &quotas.readable().unwrap()[0];
        assert_eq!((&*quota.time_zone, quota.anchor_day), (UTC, None));
        assert_eq!(Quotas::stored(&quotas.to_json()), quotas);
        for text in [
            r#"[{"name": "calls", "amount": -1, "period": "month"}]"#,
            r#"[{"name": "calls", "amount": 1000000000001, "period": "month"}]"#,
            r#"[{"name": "calls", "amount": 1, "period": "year"}]"#,
            r#"[{"name": "calls", "amount": 1, "period": "day", "anchorDay": 1}]"#,
            r#"[{"name": "calls", "amount": 1, "period": "week", "anchorDay": 8}]"#,
            r#"[{"name": "calls", "amount": 1, "period": "month", "timeZone": "a b"}]"#,
            r#"[{"name": "a/b", "amount": 1, "period": "month"}]"#,
        ] {
            assert!(Quotas::stored(text).are_unreadable(), "{text}");
        }
    }
}
