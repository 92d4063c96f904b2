//! What the kind of a key fills in and allows at most.

use super::owner::KeyOwner;
use crate::config::Config;
use crate::error::{Error, Issue};
use crate::model::{ApiKey, FieldChange, KeyChanges, KeyClass, Kind, Timestamp, Ttl, after_days};
use crate::service::Service;

/// What is checked of a change, and by what.
#[derive(Clone, Copy)]
pub(super) struct Ceilings<'a> {
    pub(super) kind: &'a Kind,
    now: Timestamp,
    rate_limit_window: u64,
}

/// Refuses a change of this key beyond what its kind allows.
pub(super) fn enforce(
    service: &Service,
    key: &ApiKey,
    changes: &KeyChanges,
    now: Timestamp,
) -> Result<(), Error> {
    let class = service.tokens.format().class_of(key.start.as_deref());
    Error::of_issues(Ceilings::of(&service.config, class, now).exceeded(changes, false))
}

impl<'a> Ceilings<'a> {
    /// The same with those of an owner.
    pub(super) fn of_owner(self, owner: &'a KeyOwner) -> Self {
        Self {
            kind: &owner.ceilings,
            ..self
        }
    }

    pub(super) fn of(config: &'a Config, class: KeyClass, now: Timestamp) -> Self {
        Self {
            kind: config.kinds.of(class),
            now,
            rate_limit_window: config.rate_limit_window.as_secs(),
        }
    }

    /// Fills in what a new key leaves out, within the ceilings of its owner.
    pub(super) fn fill(&self, settings: &mut KeyChanges, owner: Option<&Kind>) {
        if let (FieldChange::Keep, Some(scopes)) = (&settings.scopes, &self.kind.default_scopes) {
            let mut scopes = scopes.clone();
            scopes.retain(|scope| owner.is_none_or(|owner| owner.allows_scope(scope)));
            settings.scopes = FieldChange::Set(scopes);
        }
        let Kind {
            default_rate_limit,
            max_rate_limit,
            ..
        } = self.kind;
        let ceiling = owner.and_then(|owner| owner.max_rate_limit);
        let limit = filled(*default_rate_limit, ceiling, *max_rate_limit);
        if let (FieldChange::Keep, Some(_)) = (&settings.rate_limit, limit) {
            settings.rate_limit = FieldChange::Set(limit);
        }
    }

    /// When a new key expires that does not say it; `None` if it never does.
    pub(super) fn expiry(&self, ttl: Ttl, owner: Option<&Kind>) -> Option<Timestamp> {
        let own = self.kind.ttl;
        let ceiling = owner.and_then(|owner| owner.ttl.max_days);
        let most = own.max_days.into_iter().chain(ttl.max_days).min();
        let days = filled(own.default_days.or(ttl.default_days), ceiling, most);
        days.map(|days| after_days(self.now, days))
    }

    /// What a change sets beyond its kind. Of a new key, what it leaves out is a change as well.
    pub(super) fn exceeded(&self, changes: &KeyChanges, is_new: bool) -> Vec<Issue> {
        let mut issues = Vec::new();
        let mut fail = |path: String, message: String| issues.push(Issue { path, message });
        if let FieldChange::Set(scopes) = &changes.scopes {
            let beyond = |(_, scope): &(usize, &String)| !self.kind.allows_scope(scope);
            for (at, _) in scopes.iter().enumerate().filter(beyond) {
                let message = match &*self.kind.name {
                    "" => "must be a scope that you may grant".to_owned(),
                    name => format!("must be a scope that keys of the kind {name} may hold"),
                };
                fail(format!("scopes[{at}]"), message);
            }
        }
        if let Some(most) = self.kind.max_rate_limit {
            let is_beyond = |limit: Option<i32>| limit.is_none_or(|limit| limit > most);
            if sets(changes.rate_limit.clone(), is_new, is_beyond) {
                fail(
                    "rateLimit".into(),
                    format!("must be set, to at most {most}"),
                );
            }
            let least = self.rate_limit_window;
            let is_shorter = |window| u64::try_from(window).is_ok_and(|window| window < least);
            let is_beyond = |window: Option<i32>| window.is_some_and(is_shorter);
            if sets(changes.rate_limit_window_seconds.clone(), is_new, is_beyond) {
                let message = format!("must be at least {least}");
                fail("rateLimitWindowSeconds".into(), message);
            }
        }
        if let Some(days) = self.kind.ttl.max_days {
            let latest = after_days(self.now, days);
            let is_beyond = |at: Option<Timestamp>| at.is_none_or(|at| at > latest);
            if sets(changes.expires_at.clone(), is_new, is_beyond) {
                let message = format!("must be set, to at most {days} days in the future");
                fail("expiresAt".into(), message);
            }
        }
        if matches!(changes.origins, FieldChange::Set(Some(_))) && !self.kind.is_publishable() {
            let message = "must be null: only publishable keys have origins";
            fail("origins".into(), message.into());
        }
        issues
    }
}

/// What is filled in: the default, or the ceiling of an owner, as far as other ceilings permit.
fn filled(default: Option<i32>, ceiling: Option<i32>, most: Option<i32>) -> Option<i32> {
    match ceiling {
        None => default,
        Some(ceiling) => [default, most].into_iter().flatten().chain([ceiling]).min(),
    }
}

/// Whether a field is set to such a value. What a new key leaves out is set to none.
fn sets<T>(
    change: FieldChange<Option<T>>,
    is_new: bool,
    is_beyond: impl FnOnce(Option<T>) -> bool,
) -> bool {
    match change {
        FieldChange::Set(value) => is_beyond(value),
        FieldChange::Keep => is_new && is_beyond(None),
    }
}
