//! One rule per kind of field, with the documented limits.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate};

use super::value::{Parsed, Problems, Value};
use crate::error::Issue;
use crate::model::{
    Escaped, Metadata, SCOPE_LENGTH_MAX, Timestamp, is_scope, normalized_origin, parse_network,
};

/// Characters in `name` and `clientId`.
pub const NAME_MAX: usize = 255;
pub const DESCRIPTION_MAX: usize = 2_000;
pub const ALLOWED_IPS_MAX: usize = 100;
pub const ORIGINS_MAX: usize = 100;
pub const SCOPES_MAX: usize = 1_000;
/// Roles that a key names.
pub const ROLES_MAX: usize = 20;
/// Characters in the name of a role.
pub const ROLE_LENGTH_MAX: usize = 100;
/// Bytes of `metadata` as JSON, its numbers written out.
pub const METADATA_MAX: usize = 8 * 1024;
pub const RATE_LIMIT: RangeInclusive<i32> = 1..=1_000_000;
pub const WINDOW_SECONDS: RangeInclusive<i32> = 1..=86_400;
pub const MAX_KEYS: RangeInclusive<i32> = 0..=1_000_000;
/// Characters of an id. Ids generated here have 36; those of imported rows may be longer.
pub const ID_MAX: usize = 255;

#[expect(clippy::needless_pass_by_value)] // All rules have the same signature.
pub fn boolean(value: Value) -> Parsed<bool> {
    match value {
        Value::Bool(value) => Ok(value),
        _ => Err("must be true or false".into()),
    }
}

/// A whole number inside the range.
pub fn integer(range: RangeInclusive<i32>) -> impl FnOnce(Value) -> Parsed<i32> {
    let (least, most) = (i64::from(*range.start()), i64::from(*range.end()));
    move |value| {
        let whole = large_integer(least..=most)(value)?;
        i32::try_from(whole).map_err(|_| between(&(least..=most)))
    }
}

/// The same beyond 32 bits, up to what a JavaScript number holds exactly.
pub fn large_integer(range: RangeInclusive<i64>) -> impl FnOnce(Value) -> Parsed<i64> {
    const EXACT: RangeInclusive<f64> = -9_007_199_254_740_991.0..=9_007_199_254_740_991.0;
    move |value| match value {
        Value::Number(number) if number.fract() == 0.0 && EXACT.contains(&number) => {
            #[expect(clippy::cast_possible_truncation)] // It is whole, and exact.
            let whole = number as i64;
            // -0 is no number that anybody means.
            let is_zero = whole == 0 && number.is_sign_negative();
            if range.contains(&whole) && !is_zero {
                Ok(whole)
            } else {
                Err(between(&range))
            }
        }
        _ => Err(between(&range)),
    }
}

fn between(range: &RangeInclusive<i64>) -> Problems {
    format!(
        "must be a whole number from {} to {}",
        range.start(),
        range.end()
    )
    .into()
}

/// Text of 1 to `max` characters on one line.
pub fn label(max: usize) -> impl FnOnce(Value) -> Parsed<String> {
    move |value| match text(value, max)? {
        text if text.is_empty() => Err(format!("must have 1 to {max} characters").into()),
        text if text.chars().any(char::is_control) => {
            Err("must not contain control characters".into())
        }
        text => Ok(text),
    }
}

/// An idempotency key: 1 to 255 characters that any HTTP header may have, which is ASCII without spaces and control characters.
pub fn idempotency_key(value: Value) -> Parsed<String> {
    const LENGTH_MAX: usize = 255;
    let text = label(LENGTH_MAX)(value)?;
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(text)
    } else {
        Err("must have visible ASCII characters only".into())
    }
}

/// Text of at most `max` characters, lines allowed.
pub fn prose(max: usize) -> impl FnOnce(Value) -> Parsed<String> {
    move |value| text(value, max)
}

/// Text whose content the caller of this rule checks, e.g. a credential or a path.
pub fn any_text(value: Value) -> Parsed<String> {
    match value {
        Value::Text(text) => Ok(text),
        _ => Err("must be a string".into()),
    }
}

fn text(value: Value, max: usize) -> Parsed<String> {
    let text = any_text(value)?;
    if text.contains('\0') {
        return Err("must not contain NUL".into());
    }
    if text.chars().count() > max {
        return Err(format!("must have at most {max} characters").into());
    }
    Ok(text)
}

/// The id of a row: any text that could be one. If no row has it, the answer is `NOT_FOUND`.
pub fn id(value: Value) -> Parsed<String> {
    label(ID_MAX)(value)
}

/// IP addresses and CIDR networks, kept as they were written.
pub fn allowed_ips(value: Value) -> Parsed<Vec<String>> {
    list(value, ALLOWED_IPS_MAX, |entry| {
        let entry = any_text(entry)?;
        match parse_network(&entry) {
            Some(_) => Ok(entry),
            None => Err("must be an IP address or a network in CIDR notation".into()),
        }
    })
}

/// Origins, as browsers write them.
pub fn origins(value: Value) -> Parsed<Vec<String>> {
    list(value, ORIGINS_MAX, |entry| {
        let origin = normalized_origin(&any_text(entry)?);
        origin.ok_or_else(|| {
            "must be an origin, such as https://app.example.com or https://*.example.com".into()
        })
    })
}

pub fn scopes(value: Value) -> Parsed<Vec<String>> {
    list(value, SCOPES_MAX, scope)
}

/// The names of roles, each once.
pub fn roles(value: Value) -> Parsed<Vec<String>> {
    let mut roles = list(value, ROLES_MAX, role)?;
    let mut seen = std::collections::HashSet::new();
    roles.retain(|role| seen.insert(role.clone()));
    Ok(roles)
}

pub fn role(value: Value) -> Parsed<String> {
    label(ROLE_LENGTH_MAX)(value)
}

pub fn scope(value: Value) -> Parsed<String> {
    let scope = any_text(value)?;
    if !is_scope(&scope) {
        return Err(format!(
            "must have 1 to {SCOPE_LENGTH_MAX} of the characters A-Z a-z 0-9 : . _ * / -"
        )
        .into());
    }
    Ok(scope)
}

/// A list whose entries each pass a rule; every bad entry is reported.
pub fn list<T>(value: Value, max: usize, rule: impl Fn(Value) -> Parsed<T>) -> Parsed<Vec<T>> {
    let Value::List(entries) = value else {
        return Err("must be an array".into());
    };
    if entries.len() > max {
        return Err(format!("must have at most {max} entries").into());
    }
    let mut read = Vec::with_capacity(entries.len());
    let mut issues = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        match entry.readable().and_then(&rule) {
            Ok(entry) => read.push(entry),
            Err(Problems(found)) => issues.extend(found.into_iter().map(|issue| Issue {
                path: format!("[{index}]{}", issue.path),
                message: issue.message,
            })),
        }
    }
    if issues.is_empty() {
        Ok(read)
    } else {
        Err(Problems(issues))
    }
}

/// A `Date`, or text as RFC 3339 or `YYYY-MM-DD` (midnight UTC, as ECMAScript reads it).
pub fn instant(value: Value) -> Parsed<Timestamp> {
    let millis = match value {
        #[expect(clippy::cast_possible_truncation)] // A valid Date is whole and far inside i64.
        Value::Date(millis) if millis.is_finite() => Some(millis as i64),
        Value::Text(text) => parse_instant(&text),
        _ => None,
    };
    let range = Timestamp::MIN.millis()..=Timestamp::MAX.millis();
    match millis {
        Some(millis) if range.contains(&millis) => Ok(Timestamp::from_millis(millis)),
        _ => Err(
            "must be a valid Date, an ISO 8601 string with a time zone, or YYYY-MM-DD, in the years 1 to 9999"
                .into(),
        ),
    }
}

fn parse_instant(text: &str) -> Option<i64> {
    // chrono also reads `2027-1-2`, which is not ISO 8601.
    const LENGTH: usize = "YYYY-MM-DD".len();
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_millis());
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == LENGTH).then(|| Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis()))?
}

/// A JSON object of at most 8 KiB.
pub fn metadata(value: Value) -> Parsed<Metadata> {
    if !matches!(value, Value::Object(_)) {
        return Err("must be a JSON object".into());
    }
    let mut issues = Vec::new();
    let json = json(value, "", &mut issues);
    if !issues.is_empty() {
        return Err(Problems(issues));
    }
    if json.to_string().len() + digits_of_exponents(&json) > METADATA_MAX {
        return Err(format!(
            "must have at most {METADATA_MAX} bytes of JSON, with its numbers written out in full"
        )
        .into());
    }
    Ok(Metadata::from(&json))
}

/// The bytes that JSON gains when its numbers are written without exponents, as Postgres does: `1e308` has 309 digits
/// there.
fn digits_of_exponents(json: &serde_json::Value) -> usize {
    use serde_json::Value as Json;
    match json {
        Json::Number(number) => {
            let written_out = number.as_f64().map_or(0, |number| number.to_string().len());
            written_out.saturating_sub(number.to_string().len())
        }
        Json::Array(entries) => entries.iter().map(digits_of_exponents).sum(),
        Json::Object(entries) => entries.values().map(digits_of_exponents).sum(),
        _ => 0,
    }
}

fn json(value: Value, path: &str, issues: &mut Vec<Issue>) -> serde_json::Value {
    use serde_json::Value as Json;
    let mut fail = |message: &str| {
        issues.push(Issue {
            path: path.to_owned(),
            message: message.to_owned(),
        });
        Json::Null
    };
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(value),
        Value::Number(number) if number.is_finite() => json_number(number),
        Value::Text(text) if text.contains('\0') => fail("must not contain NUL"),
        Value::Text(text) => Json::String(text),
        Value::List(entries) => entries
            .into_iter()
            .enumerate()
            .map(|(index, entry)| json(entry, &format!("{path}[{index}]"), issues))
            .collect(),
        Value::Object(entries) => {
            let mut object = serde_json::Map::new();
            for (name, entry) in entries {
                // Like JSON.stringify: an undefined field is left out.
                if entry == Value::Undefined {
                    continue;
                }
                let path = format!("{path}.{}", escaped_name(&name));
                if name.contains('\0') {
                    issues.push(Issue {
                        path: path.clone(),
                        message: "must not contain NUL".into(),
                    });
                }
                object.insert(name, json(entry, &path, issues));
            }
            Json::Object(object)
        }
        Value::Unreadable(why) | Value::BadText(why) => fail(why),
        Value::Undefined | Value::Number(_) | Value::Date(_) => fail("must be a JSON value"),
    }
}

/// Whole numbers stay whole in the stored JSON.
fn json_number(number: f64) -> serde_json::Value {
    const SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && number.abs() <= SAFE_INTEGER {
        #[expect(clippy::cast_possible_truncation)]
        return serde_json::Value::from(number as i64);
    }
    serde_json::Value::from(number)
}

/// A field name from outside, short and printable, for the path of an issue.
pub fn escaped_name(name: &str) -> Escaped {
    const LENGTH_MAX: usize = 64;
    Escaped::cut(name, LENGTH_MAX)
}
