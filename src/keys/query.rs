//! The query of a list of keys.

use crate::config::Config;
use crate::error::Error;
use crate::input::{Fields, Value, one_of, page, rules};
use crate::model::{
    KeyCursor, KeyFilter, KeyOrder, KeyQuery, KeySort, KeyStatus, Timestamp, contains_pattern,
    pattern_that_holds, scopes_that_hold,
};

/// Reads the input of `listApiKeys`.
pub fn read_query(value: Value, now: Timestamp, config: &Config) -> Result<KeyQuery, Error> {
    let mut fields = Fields::of_optional(value);
    let limit = page::limit(&mut fields);
    let order = order(&mut fields);
    let cursor = page::cursor(&mut fields, KeyCursor::decode);
    if cursor.as_ref().is_some_and(|cursor| cursor.order != order) {
        fields.fail("cursor", "belongs to a list in another order");
    }
    let query = KeyQuery {
        limit,
        order,
        after: cursor.map(|cursor| cursor.place),
        filter: filter(&mut fields, now, config),
    };
    fields.finish(Some(query))
}

/// Reads the fields by which keys are found.
pub(super) fn filter(fields: &mut Fields, now: Timestamp, config: &Config) -> KeyFilter {
    let scope = fields.optional("scope", rules::scope);
    // Those by which a key holds it.
    let wanted = scope.map(|scope| match &config.catalogue {
        Some(catalogue) => catalogue.that_imply(&scope),
        None => vec![scope],
    });
    let lists = wanted.iter().flatten().map(|scope| scopes_that_hold(scope));
    let scopes: Option<Vec<_>> = lists.collect();
    let patterns = wanted
        .iter()
        .flatten()
        .map(|scope| pattern_that_holds(scope));
    KeyFilter {
        scope_pattern: scopes
            .is_none()
            .then(|| patterns.collect::<Vec<_>>().join("|")),
        scopes: wanted.as_ref().and(scopes).map(|lists| lists.concat()),
        now,
        max_idle_days: config.max_idle_days,
        client_id: fields.optional("clientId", rules::label(rules::NAME_MAX)),
        is_active: fields.optional("isActive", rules::boolean),
        created_by: fields.optional("createdBy", rules::label(rules::NAME_MAX)),
        search: page::search(fields).as_deref().map(contains_pattern),
        status: fields.optional("status", one_of(KeyStatus::ALL, KeyStatus::name)),
        expires_before: fields.optional("expiresBefore", rules::instant),
        unused_since: fields.optional("unusedSince", rules::instant),
        created_after: fields.optional("createdAfter", rules::instant),
        created_before: fields.optional("createdBefore", rules::instant),
        metadata: fields.optional("metadata", rules::metadata),
    }
}

fn order(fields: &mut Fields) -> KeyOrder {
    let sort = fields.optional("sort", one_of(KeySort::ALL, KeySort::name));
    let order = fields.optional("order", one_of(["asc", "desc"], |order| order));
    KeyOrder {
        sort: sort.unwrap_or(KeySort::CreatedAt),
        descending: order != Some("asc"),
    }
}
