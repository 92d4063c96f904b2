//! What callers may say of a key: creation, changes, queries.

use crate::config::Ttl;
use crate::error::Error;
use crate::input::page::{self, Cursor};
use crate::input::{Change, Fields, Parsed, Value, argument, rules};
use crate::model::{ApiKey, Timestamp};

/// Seconds that a replaced key may stay valid: up to a year.
const GRACE_SECONDS: std::ops::RangeInclusive<i32> = 0..=31_536_000;
/// Characters of `search`; the trigram index needs three.
const SEARCH_MIN: usize = 3;
/// Clocks differ and requests take time: this much of the past still counts as "now" at creation.
const PAST_TOLERANCE_SECONDS: i64 = 60;

#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    pub name: String,
    pub client_id: String,
    pub description: Option<String>,
    pub is_active: bool,
    pub expires_at: Option<Timestamp>,
    pub allowed_ips: Vec<String>,
    pub rate_limit: Option<i32>,
    pub rate_limit_window_seconds: Option<i32>,
    pub scopes: Vec<String>,
    pub metadata: Option<serde_json::Value>,
}

impl NewKey {
    pub fn read(value: Value, now: Timestamp, ttl: Ttl) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let name = fields.required("name", rules::label(rules::NAME_MAX));
        let client_id = fields.required("clientId", rules::label(rules::NAME_MAX));
        let description = fields.optional("description", rules::prose(rules::DESCRIPTION_MAX));
        let is_active = fields.optional("isActive", rules::boolean).unwrap_or(true);
        let expires_at = fields
            .optional("expiresAt", |value| not_past(rules::instant(value)?, now))
            .or_else(|| ttl.default_days.map(|days| after_days(now, days)));
        let allowed_ips = fields
            .optional("allowedIps", rules::allowed_ips)
            .unwrap_or_default();
        let rate_limit = fields.optional("rateLimit", rules::integer(rules::RATE_LIMIT));
        let rate_limit_window_seconds = fields.optional(
            "rateLimitWindowSeconds",
            rules::integer(rules::WINDOW_SECONDS),
        );
        let scopes = fields.optional("scopes", rules::scopes).unwrap_or_default();
        let metadata = fields.optional("metadata", rules::metadata);
        enforce(ttl, &mut fields, expires_at, now);
        let read = name.zip(client_id).map(|(name, client_id)| Self {
            name,
            client_id,
            description,
            is_active,
            expires_at,
            allowed_ips,
            rate_limit,
            rate_limit_window_seconds,
            scopes,
            metadata,
        });
        fields.finish(read)
    }
}

fn not_past(instant: Timestamp, now: Timestamp) -> Parsed<Timestamp> {
    if instant < now.plus_seconds(-PAST_TOLERANCE_SECONDS) {
        return Err("must not be in the past".into());
    }
    Ok(instant)
}

/// Refuses a lifetime beyond the configured one, or none.
fn enforce(ttl: Ttl, fields: &mut Fields, expires_at: Option<Timestamp>, now: Timestamp) {
    let Some(days) = ttl.max_days else { return };
    if expires_at.is_none_or(|at| at > after_days(now, days)) {
        fields.fail(
            "expiresAt",
            &format!("must be set, to at most {days} days in the future"),
        );
    }
}

fn after_days(now: Timestamp, days: i32) -> Timestamp {
    now.plus_seconds(i64::from(days) * 86_400)
}

/// What is to change of a key. Absent keeps, `null` clears.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    pub name: Change<String>,
    pub client_id: Change<String>,
    pub description: Change<Option<String>>,
    pub is_active: Change<bool>,
    pub expires_at: Change<Option<Timestamp>>,
    pub allowed_ips: Change<Vec<String>>,
    pub rate_limit: Change<Option<i32>>,
    pub rate_limit_window_seconds: Change<Option<i32>>,
    pub scopes: Change<Vec<String>>,
    pub metadata: Change<Option<serde_json::Value>>,
    pub lift_suspension: bool,
    pub end_grace: bool,
}

impl Changes {
    fn read_fields(fields: &mut Fields, now: Timestamp, ttl: Ttl) -> Self {
        let expires_at = fields.clearable("expiresAt", rules::instant);
        if let Change::Set(at) = expires_at {
            enforce(ttl, fields, at, now);
        }
        Self {
            name: fields.change("name", rules::label(rules::NAME_MAX)),
            client_id: fields.change("clientId", rules::label(rules::NAME_MAX)),
            description: fields.clearable("description", rules::prose(rules::DESCRIPTION_MAX)),
            is_active: fields.change("isActive", rules::boolean),
            expires_at,
            allowed_ips: emptied(fields.clearable("allowedIps", rules::allowed_ips)),
            rate_limit: fields.clearable("rateLimit", rules::integer(rules::RATE_LIMIT)),
            rate_limit_window_seconds: fields.clearable(
                "rateLimitWindowSeconds",
                rules::integer(rules::WINDOW_SECONDS),
            ),
            scopes: emptied(fields.clearable("scopes", rules::scopes)),
            metadata: fields.clearable("metadata", rules::metadata),
            ..Self::default()
        }
    }
}

impl Changes {
    /// What the key is after the change.
    pub fn apply(&self, key: &mut ApiKey, now: Timestamp) {
        self.name.apply(&mut key.name);
        self.client_id.apply(&mut key.client_id);
        self.description.apply(&mut key.description);
        self.is_active.apply(&mut key.is_active);
        self.expires_at.apply(&mut key.expires_at);
        self.allowed_ips.apply(&mut key.allowed_ips);
        self.rate_limit.apply(&mut key.rate_limit);
        self.rate_limit_window_seconds
            .apply(&mut key.rate_limit_window_seconds);
        self.scopes.apply(&mut key.scopes);
        self.metadata.apply(&mut key.metadata);
        if self.lift_suspension {
            key.suspended_until = None;
        }
        if self.end_grace {
            key.previous_key_expires_at = None;
        }
        key.updated_at = now;
    }
}

/// A cleared list is an empty one.
fn emptied<T>(change: Change<Option<Vec<T>>>) -> Change<Vec<T>> {
    match change {
        Change::Keep => Change::Keep,
        Change::Set(list) => Change::Set(list.unwrap_or_default()),
    }
}

/// The input of `patchApiKey`.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    pub id: String,
    pub changes: Changes,
}

impl Patch {
    pub fn read(value: Value, now: Timestamp, ttl: Ttl) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let id = fields.required("id", rules::id);
        let mut changes = Changes::read_fields(&mut fields, now, ttl);
        changes.lift_suspension = fields.clearable("suspendedUntil", only_null) != Change::Keep;
        changes.end_grace = fields.clearable("previousKeyExpiresAt", only_null) != Change::Keep;
        fields.finish(id.map(|id| Self { id, changes }))
    }
}

fn only_null(_: Value) -> Parsed<()> {
    Err("must be null".into())
}

/// The input of `updateApiKey`.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    pub id: String,
    pub changes: Changes,
    /// Replace the key; the old one stays valid for so many seconds.
    pub regenerate: Option<i32>,
}

impl Update {
    pub fn read(value: Value, now: Timestamp, ttl: Ttl) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let id = fields.required("id", rules::id);
        let changes = Changes::read_fields(&mut fields, now, ttl);
        let regenerate = fields
            .optional("regenerateKey", rules::boolean)
            .unwrap_or(false);
        let grace = fields.optional("gracePeriodSeconds", rules::integer(GRACE_SECONDS));
        if grace.is_some() && !regenerate {
            fields.fail("gracePeriodSeconds", "requires regenerateKey: true");
        }
        let regenerate = regenerate.then(|| grace.unwrap_or(0));
        fields.finish(id.map(|id| Self {
            id,
            changes,
            regenerate,
        }))
    }
}

/// The input of `listApiKeys`.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    pub limit: i32,
    pub cursor: Option<Cursor>,
    pub client_id: Option<String>,
    pub is_active: Option<bool>,
    pub search: Option<String>,
}

impl Query {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of_optional(value);
        let query = Self {
            limit: page::limit(&mut fields),
            cursor: fields.optional("cursor", Cursor::read),
            client_id: fields.optional("clientId", rules::label(rules::NAME_MAX)),
            is_active: fields.optional("isActive", rules::boolean),
            search: fields.optional("search", search),
        };
        fields.finish(Some(query))
    }
}

fn search(value: Value) -> Parsed<String> {
    let text = rules::label(rules::NAME_MAX)(value)?;
    if text.chars().count() < SEARCH_MIN {
        return Err(format!("must have at least {SEARCH_MIN} characters").into());
    }
    Ok(text)
}

/// The id of a key, as the only argument.
pub fn key_id(value: Value) -> Result<String, Error> {
    argument("id", value, rules::id)
}
