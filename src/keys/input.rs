//! The input of callers about keys: creation, changes, revocation.

use super::ceilings::Ceilings;
use super::owner::KeyOwner;
use super::query::filter;
use crate::config::Config;
use crate::error::Error;
use crate::input::{Fields, Parsed, Value, argument, limits, one_of, quotas, rules};
use crate::model::{
    Actor, ApiKey, BulkRevocation, Environment, FieldChange, IdempotencyKey, KeyChanges, KeyClass,
    KeyFilter, Revocation, RevocationReason, Timestamp, Ttl, after_days,
};

/// Seconds that a replaced key may stay valid, at most a year.
const GRACE_SECONDS: std::ops::RangeInclusive<i32> = 0..=31_536_000;
/// Days without use after which a key is refused.
const IDLE_DAYS: std::ops::RangeInclusive<i32> = 1..=3_650;
/// How far in the past `expiresAt` may be at creation, since clocks differ and requests take time.
const PAST_TOLERANCE_SECONDS: i64 = 60;

/// Reads the settings of a key. An absent field is kept; `null` clears a field.
#[inline(never)] // It is large.
pub(crate) fn settings(fields: &mut Fields) -> KeyChanges {
    KeyChanges {
        name: fields.change("name", rules::label(rules::NAME_MAX)),
        client_id: fields.change("clientId", rules::label(rules::NAME_MAX)),
        description: fields.clearable("description", rules::prose(rules::DESCRIPTION_MAX)),
        is_active: fields.change("isActive", rules::boolean),
        expires_at: fields.clearable("expiresAt", rules::instant),
        allowed_ips: fields.emptiable("allowedIps", rules::allowed_ips),
        origins: fields.clearable("origins", rules::origins),
        rate_limit: fields.clearable("rateLimit", rules::integer(rules::RATE_LIMIT)),
        rate_limit_window_seconds: fields.clearable(
            "rateLimitWindowSeconds",
            rules::integer(rules::WINDOW_SECONDS),
        ),
        scopes: fields.emptiable("scopes", rules::scopes),
        roles: fields.emptiable("roles", rules::roles),
        limits: fields.emptiable("limits", limits::of_key),
        quotas: fields.emptiable("quotas", quotas::quotas),
        metadata: fields.clearable("metadata", rules::metadata),
        max_idle_days: fields.clearable("maxIdleDays", rules::integer(IDLE_DAYS)),
        lift_suspension: false,
        end_grace_period: false,
    }
}

/// The input of `createApiKey`.
#[derive(Debug, Clone, PartialEq)]
pub struct NewKey {
    /// The settings that differ from the defaults.
    pub settings: KeyChanges,
    pub class: KeyClass,
    idempotency: Option<Idempotency>,
    /// How many keys the client may have, besides what was set for it.
    pub max_keys: Option<i32>,
}

#[derive(Debug, Clone, PartialEq)]
struct Idempotency {
    text: String,
    /// The key that the input describes, without what is taken from the clock.
    input: ApiKey,
}

impl NewKey {
    pub fn read(
        value: Value,
        now: Timestamp,
        config: &Config,
        owner: Option<&KeyOwner>,
    ) -> Result<Self, Error> {
        const REQUIRED: [&str; 2] = ["name", "clientId"];
        let mut fields = Fields::of(value);
        // Optional fields may be `null` as well.
        fields.treat_null_as_absent_except(&REQUIRED);
        fields.require(&REQUIRED);
        let text = fields.optional("idempotencyKey", rules::idempotency_key);
        let class = class(&mut fields, config);
        let mut settings = settings(&mut fields);
        let idempotency = text.map(|text| Idempotency {
            text,
            input: described(&settings, class),
        });
        let ceilings = Ceilings::of(config, class, now);
        let of_owner = owner.map(|owner| &owner.ceilings);
        ceilings.fill(&mut settings, of_owner);
        let expires_at = match settings.expires_at {
            FieldChange::Set(at) => at,
            FieldChange::Keep => ceilings.expiry(config.ttl, of_owner),
        };
        if expires_at.is_some_and(|at| at < now.plus_seconds(-PAST_TOLERANCE_SECONDS)) {
            fields.fail("expiresAt", "must not be in the past");
        }
        enforce_max_ttl(&mut fields, expires_at, now, config.ttl);
        settings.expires_at = FieldChange::Set(expires_at);
        let all = [Some(ceilings), owner.map(|owner| ceilings.of_owner(owner))];
        for ceilings in all.into_iter().flatten() {
            for issue in ceilings.exceeded(&settings, true) {
                fields.fail(&issue.path, &issue.message);
            }
        }
        fields.finish(Some(Self {
            settings,
            class,
            idempotency,
            max_keys: owner.and_then(|owner| owner.max_keys),
        }))
    }

    /// The idempotency key of this actor, if the input has one.
    pub fn idempotency_key(&self, actor: Option<&Actor>) -> Option<IdempotencyKey> {
        let Idempotency { text, input } = self.idempotency.as_ref()?;
        Some(IdempotencyKey::new(text, actor, input))
    }
}

/// The kind and environment of a new key, which cannot be changed later.
fn class(fields: &mut Fields, config: &Config) -> KeyClass {
    let kind = fields.optional("kind", |value| {
        let number = config.kinds.number_of(&rules::any_text(value)?);
        number.ok_or_else(|| "must be a kind that is configured".into())
    });
    let environment = fields.optional("environment", |value| {
        let environment = one_of(Environment::ALL, Environment::name)(value)?;
        if config.environments.contain(environment) {
            Ok(environment)
        } else {
            Err("must be an environment of this process (API_KEYS_ENVIRONMENT)".into())
        }
    });
    KeyClass {
        kind: kind.unwrap_or_default(),
        environment: environment.unwrap_or(config.environments.first),
    }
}

/// The key that the settings describe, the same at any time.
fn described(settings: &KeyChanges, class: KeyClass) -> ApiKey {
    let mut key = ApiKey::new(String::new(), Timestamp::MIN);
    settings.apply(&mut key, Timestamp::MIN);
    // In place of what the key will begin with.
    key.start = Some(format!("{} {}", class.kind, class.environment.name()));
    key
}

/// Rejects an expiry beyond the configured maximum lifetime, and the lack of one.
fn enforce_max_ttl(fields: &mut Fields, expires_at: Option<Timestamp>, now: Timestamp, ttl: Ttl) {
    let Some(days) = ttl.max_days else { return };
    if expires_at.is_none_or(|at| at > after_days(now, days)) {
        fields.fail(
            "expiresAt",
            &format!("must be set, to at most {days} days in the future"),
        );
    }
}

fn read_changes(fields: &mut Fields, now: Timestamp, ttl: Ttl) -> KeyChanges {
    let changes = settings(fields);
    if let FieldChange::Set(at) = changes.expires_at {
        enforce_max_ttl(fields, at, now, ttl);
    }
    changes
}

/// The input of `patchApiKey`.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchKey {
    pub id: String,
    pub changes: KeyChanges,
}

impl PatchKey {
    pub fn read(value: Value, now: Timestamp, ttl: Ttl) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let id = fields.required("id", rules::id);
        let mut changes = read_changes(&mut fields, now, ttl);
        let mut is_cleared =
            |name| fields.clearable(name, only_null) != FieldChange::<Option<()>>::Keep;
        changes.lift_suspension = is_cleared("suspendedUntil");
        changes.end_grace_period = is_cleared("previousKeyExpiresAt");
        fields.finish(id.map(|id| Self { id, changes }))
    }
}

fn only_null(_: Value) -> Parsed<()> {
    Err("must be null".into())
}

/// The input of `updateApiKey`.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateKey {
    pub id: String,
    pub changes: KeyChanges,
    /// Replaces the key; the old one stays valid for this many seconds. `None` keeps the key.
    pub regenerate: Option<i32>,
}

impl UpdateKey {
    pub fn read(value: Value, now: Timestamp, ttl: Ttl) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let id = fields.required("id", rules::id);
        let changes = read_changes(&mut fields, now, ttl);
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

/// Reads the input of `revokeApiKey`.
pub fn read_revocation(value: Value) -> Result<Revocation, Error> {
    let mut fields = Fields::of(value);
    fields.treat_null_as_absent_except(&["id"]);
    let id = fields.required("id", rules::id);
    let reason = fields.optional("reason", reason);
    let note = fields.optional("note", rules::label(rules::NAME_MAX));
    fields.finish(id.map(|key_id| Revocation {
        key_id,
        reason,
        note,
        client_id: None,
    }))
}

/// Reads the input of `revokeApiKeys`.
pub fn read_bulk_revocation(
    value: Value,
    now: Timestamp,
    config: &Config,
) -> Result<BulkRevocation, Error> {
    const COUNT: std::ops::RangeInclusive<i32> = 0..=i32::MAX;
    let mut fields = Fields::of(value);
    fields.treat_null_as_absent_except(&["where"]);
    let filter = fields.required("where", |value| chosen(value, now, config));
    fields.optional::<()>("id", |_| {
        Err("must not be beside where: revokeApiKey takes the id of one key".into())
    });
    let reason = fields.optional("reason", reason);
    let note = fields.optional("note", rules::label(rules::NAME_MAX));
    let expected_count = fields.optional("expectedCount", rules::integer(COUNT));
    let dry_run = fields.optional("dryRun", rules::boolean);
    fields.finish(filter.map(|filter| BulkRevocation {
        filter,
        reason: reason.unwrap_or(RevocationReason::Unspecified),
        note,
        expected_count,
        dry_run: dry_run.unwrap_or(false),
    }))
}

/// A filter for a change of all keys that it matches.
fn chosen(value: Value, now: Timestamp, config: &Config) -> Parsed<KeyFilter> {
    let mut fields = Fields::of(value);
    let filter = filter(&mut fields, now, config);
    // Without a problem of its own: what is wrong may have been meant as a condition.
    if filter.is_empty() && fields.are_right() {
        fields.fail("", "must have at least one condition");
    }
    fields.finish_nested(Some(filter))
}

fn reason(value: Value) -> Parsed<RevocationReason> {
    one_of(RevocationReason::ALL, RevocationReason::name)(value)
}

/// Reads the id of a key, as the only argument.
pub fn key_id(value: Value) -> Result<String, Error> {
    argument("id", value, rules::id)
}
