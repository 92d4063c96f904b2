//! What the kind of a key fills in and allows at most.

use crate::config::Config;
use crate::error::{Error, Issue};
use crate::model::{ApiKey, FieldChange, KeyChanges, KeyClass, Kind, Timestamp, after_days};
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
    pub(super) fn of(config: &'a Config, class: KeyClass, now: Timestamp) -> Self {
        Self {
            kind: config.kinds.of(class),
            now,
            rate_limit_window: config.rate_limit_window.as_secs(),
        }
    }

    /// Fills in what a new key leaves out.
    pub(super) fn fill(&self, settings: &mut KeyChanges) {
        let Kind {
            default_scopes,
            default_rate_limit,
            ..
        } = self.kind;
        if let (FieldChange::Keep, Some(scopes)) = (&settings.scopes, default_scopes) {
            settings.scopes = FieldChange::Set(scopes.clone());
        }
        if let (FieldChange::Keep, Some(limit)) = (&settings.rate_limit, default_rate_limit) {
            settings.rate_limit = FieldChange::Set(Some(*limit));
        }
    }

    /// What a change sets beyond its kind. Of a new key, what it leaves out is a change as well.
    pub(super) fn exceeded(&self, changes: &KeyChanges, is_new: bool) -> Vec<Issue> {
        let mut issues = Vec::new();
        let mut fail = |path: String, message: String| issues.push(Issue { path, message });
        if let FieldChange::Set(scopes) = &changes.scopes {
            let beyond = |(_, scope): &(usize, &String)| !self.kind.allows_scope(scope);
            for (at, _) in scopes.iter().enumerate().filter(beyond) {
                let message = format!(
                    "must be a scope that keys of the kind {} may hold",
                    self.kind.name
                );
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
