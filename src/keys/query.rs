//! The query of a list of keys.

use crate::error::Error;
use crate::input::{Fields, Value, one_of, page, rules};
use crate::model::{
    KeyCursor, KeyFilter, KeyOrder, KeyQuery, KeySort, KeyStatus, Timestamp, contains_pattern,
    pattern_that_holds, scopes_that_hold,
};

/// Reads the input of `listApiKeys`. `max_idle_days` are the configured ones.
pub fn read_query(
    value: Value,
    now: Timestamp,
    max_idle_days: Option<i32>,
) -> Result<KeyQuery, Error> {
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
        filter: filter(&mut fields, now, max_idle_days),
    };
    fields.finish(Some(query))
}

/// Reads the fields by which keys are found.
pub(super) fn filter(fields: &mut Fields, now: Timestamp, max_idle_days: Option<i32>) -> KeyFilter {
    let scope = fields.optional("scope", rules::scope);
    let scopes = scope.as_deref().and_then(scopes_that_hold);
    let beyond = scope.as_deref().filter(|_| scopes.is_none());
    KeyFilter {
        scope_pattern: beyond.map(pattern_that_holds),
        scopes,
        now,
        max_idle_days,
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
