//! The rule for lists of quotas.

use super::entries;
use super::fields::Fields;
use super::one_of::one_of;
use super::rules;
use super::value::{Parsed, Value};
use crate::model::{Period, Quota, Quotas, UTC};

/// The quotas of a key or client.
pub fn quotas(value: Value) -> Parsed<Quotas> {
    entries::list(value, quota).map(Quotas::Readable)
}

/// The name of a quota.
pub fn name(value: Value) -> Parsed<String> {
    entries::name(value)
}

fn quota(value: Value) -> Parsed<Quota> {
    let mut fields = Fields::of(value);
    let name = fields.required("name", name);
    let amount = fields.required("amount", rules::large_integer(0..=Quota::AMOUNT_MAX));
    let period = fields.required("period", one_of(Period::ALL, Period::name));
    let time_zone = fields.optional("timeZone", time_zone);
    let anchor_day = fields.optional("anchorDay", rules::integer(1..=31));
    let days = period.map(Period::anchor_days);
    match (days, anchor_day) {
        (Some(None), Some(_)) => fields.fail("anchorDay", "is for weeks and months only"),
        (Some(Some(days)), Some(day)) if !days.contains(&day) => {
            fields.fail(
                "anchorDay",
                "must be a whole number from 1 to 7, where 1 is Monday",
            );
        }
        _ => {}
    }
    let quota = name
        .zip(amount)
        .zip(period)
        .map(|((name, amount), period)| Quota {
            name,
            amount,
            period,
            time_zone: time_zone.unwrap_or_else(|| UTC.to_owned()),
            anchor_day: period.anchor_days().map(|_| anchor_day.unwrap_or(1)),
        });
    fields.finish_nested(quota)
}

/// The form of the name of a time zone.
pub fn time_zone(value: Value) -> Parsed<String> {
    let name = rules::any_text(value)?;
    if Quota::is_time_zone(&name) {
        Ok(name)
    } else {
        Err("must be the name of a time zone, such as Europe/Berlin".into())
    }
}
