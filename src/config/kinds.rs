//! The kinds of keys, as they are configured.

use std::sync::Arc;

use super::reader::OptionReader;
use super::settings::defaults;
use crate::input::{Fields, Parsed, Problems, Value, rules};
use crate::model::{HeldScopes, Kind, Kinds, Ttl, is_kind_name};
use crate::token::is_prefix;

/// Days that a key may live at most.
const DAYS: std::ops::RangeInclusive<i32> = 1..=36_500;

/// The kinds, and the prefixes beside theirs. Without configured kinds, the first prefix is that of the only one.
pub(super) fn kinds(reader: &mut OptionReader<'_>) -> (Kinds, Vec<String>) {
    let mut prefixes = prefixes(reader);
    let configured = reader.json("kinds").and_then(|value| match read(value) {
        Ok(kinds) => Kinds::new(kinds),
        Err(Problems(issues)) => {
            for issue in issues {
                reader.fail_option(&format!("kinds{}", issue.path), &issue.message);
            }
            None
        }
    });
    match configured {
        Some(kinds) => (kinds, prefixes),
        None if prefixes.is_empty() => (Kinds::secret(String::new()), prefixes),
        None => (Kinds::secret(prefixes.remove(0)), prefixes),
    }
}

fn prefixes(reader: &mut OptionReader<'_>) -> Vec<String> {
    let prefixes = reader
        .list("prefixes")
        .unwrap_or_else(|| vec![defaults::PREFIX.to_owned().into()]);
    if prefixes.is_empty() || !prefixes.iter().all(|prefix| is_prefix(prefix)) {
        reader.fail_option(
            "prefixes",
            "must each consist of 1 to 20 letters and digits and begin with a letter",
        );
    }
    prefixes.iter().map(|prefix| prefix.to_string()).collect()
}

fn read(value: Value) -> Parsed<Vec<Kind>> {
    let Value::Object(entries) = value else {
        return Err("must be an object".into());
    };
    if entries.is_empty() || entries.len() > Kinds::COUNT_MAX {
        return Err(format!("must have 1 to {} kinds", Kinds::COUNT_MAX).into());
    }
    let mut kinds: Vec<Kind> = Vec::new();
    for (name, value) in entries {
        if !is_kind_name(&name) {
            let most = Kinds::NAME_MAX;
            return Err(format!("must have names of 1 to {most} letters, digits, _ and -").into());
        }
        let at = format!(".{name}");
        let kind = kind(&name, value).map_err(|Problems(issues)| {
            let within = issues.into_iter().map(|mut issue| {
                issue.path.insert_str(0, &at);
                issue
            });
            Problems(within.collect())
        })?;
        let is_taken = |other: &Kind| other.prefix == kind.prefix || *other.name == *name;
        if kinds.iter().any(is_taken) {
            return Err("must each have a name and a prefix of their own".into());
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

fn kind(name: &str, value: Value) -> Parsed<Kind> {
    let mut fields = Fields::of(value);
    fields.treat_null_as_absent_except(&[]);
    let prefix = fields.required("prefix", prefix);
    let allowed_scopes = fields.optional("allowedScopes", rules::scopes);
    let kind = Kind {
        name: name.into(),
        prefix: prefix.clone().unwrap_or_default(),
        allowed_scopes: allowed_scopes.map(|all| Arc::new(HeldScopes::new(all))),
        default_scopes: fields.optional("defaultScopes", rules::scopes),
        default_rate_limit: fields.optional("defaultRateLimit", rules::integer(rules::RATE_LIMIT)),
        max_rate_limit: fields.optional("maxRateLimit", rules::integer(rules::RATE_LIMIT)),
        ttl: Ttl {
            default_days: fields.optional("defaultTtlDays", rules::integer(DAYS)),
            max_days: fields.optional("maxTtlDays", rules::integer(DAYS)),
        },
    };
    for scope in kind.default_scopes.iter().flatten() {
        if !kind.allows_scope(scope) {
            fields.fail("defaultScopes", "must be within allowedScopes");
        }
    }
    if exceeds(kind.default_rate_limit, kind.max_rate_limit) {
        fields.fail("defaultRateLimit", "must be at most maxRateLimit");
    }
    if exceeds(kind.ttl.default_days, kind.ttl.max_days) {
        fields.fail("defaultTtlDays", "must be at most maxTtlDays");
    }
    fields.finish_nested(prefix.map(|_| kind))
}

fn exceeds(default: Option<i32>, most: Option<i32>) -> bool {
    default
        .zip(most)
        .is_some_and(|(default, most)| default > most)
}

fn prefix(value: Value) -> Parsed<String> {
    let prefix = rules::any_text(value)?;
    if is_prefix(&prefix) {
        Ok(prefix)
    } else {
        Err("must consist of 1 to 20 letters and digits and begin with a letter".into())
    }
}
