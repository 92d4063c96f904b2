//! Refused attempts, counted by what they have in common: a flood becomes few entries, and no attempt is uncounted.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use hashbrown::HashTable;

use crate::events::{Event, RefusedAttempts};
use crate::model::{Escaped, Timestamp};

/// Kinds told apart between two flushes; those beyond are counted together, by their reason alone.
const GROUPS_MAX: usize = 1_000;

/// Whose attempt it was: of a key, or of an admin token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CredentialKind {
    #[default]
    Key,
    AdminToken,
}

/// An attempt that was refused. Nothing of it is copied where others like it are known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Attempt<'a> {
    pub credential: CredentialKind,
    pub reason: &'static str,
    pub key_id: Option<&'a str>,
    pub name: Option<&'a str>,
    pub client_id: Option<&'a str>,
    pub token_id: Option<&'a str>,
    pub lookup: Option<&'a str>,
    pub ip: Option<IpAddr>,
    pub claimed_ip: Option<IpAddr>,
    pub path: Option<&'a str>,
    pub hint: Option<&'static str>,
}

/// What attempts alike have in common.
#[derive(PartialEq, Eq, Hash)]
struct GroupKey<'a> {
    credential: CredentialKind,
    reason: &'static str,
    subject: Option<&'a str>,
    ip: Option<IpAddr>,
}

/// The first attempt of a kind, and how many there were.
#[derive(Debug)]
struct Counted {
    credential: CredentialKind,
    /// As it was presented, since what is shown of two may be alike.
    subject: Option<Box<str>>,
    refused: RefusedAttempts,
    at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct AttemptGroups {
    counted: HashTable<Counted>,
    hasher: RandomState,
}

impl AttemptGroups {
    pub(super) fn is_empty(&self) -> bool {
        self.counted.is_empty()
    }

    /// Beyond the bound there is room for the groups that are known, and for one group of each reason.
    pub(super) fn count(&mut self, attempt: &Attempt<'_>, now: Timestamp) {
        let is_full = self.counted.len() >= GROUPS_MAX;
        if is_full && !self.knows(&attempt.group()) {
            self.add(&attempt.any(), now);
        } else {
            self.add(attempt, now);
        }
    }

    fn knows(&self, group: &GroupKey<'_>) -> bool {
        let hash = self.hasher.hash_one(group);
        self.counted.find(hash, |it| it.group() == *group).is_some()
    }

    fn add(&mut self, attempt: &Attempt<'_>, now: Timestamp) {
        let Self { counted, hasher } = self;
        let group = attempt.group();
        let hash_of = |it: &Counted| hasher.hash_one(it.group());
        let entry = counted.entry(hasher.hash_one(&group), |it| it.group() == group, hash_of);
        let known = entry.or_insert_with(|| Counted::first(attempt, now));
        known.into_mut().refused.count += 1;
    }

    /// What was counted since the last time, oldest first.
    pub(super) fn take(&mut self) -> Vec<(Event, u64, Timestamp)> {
        let mut counted: Vec<_> = std::mem::take(&mut self.counted).into_iter().collect();
        counted.sort_by_key(|counted| counted.at);
        counted.into_iter().map(Counted::into_entry).collect()
    }
}

impl Attempt<'_> {
    fn group(&self) -> GroupKey<'_> {
        GroupKey {
            credential: self.credential,
            reason: self.reason,
            subject: self.key_id.or(self.token_id).or(self.lookup),
            ip: self.ip,
        }
    }

    /// Any attempt that was refused for this reason.
    fn any(&self) -> Self {
        Self {
            credential: self.credential,
            reason: self.reason,
            ..Self::default()
        }
    }
}

impl Counted {
    fn first(attempt: &Attempt<'_>, at: Timestamp) -> Self {
        let shown = |text: Option<&str>| text.map(Escaped::new);
        let refused = RefusedAttempts {
            reason: attempt.reason,
            count: 0,
            key_id: shown(attempt.key_id),
            name: shown(attempt.name),
            client_id: shown(attempt.client_id),
            token_id: shown(attempt.token_id),
            lookup: shown(attempt.lookup),
            ip: attempt.ip,
            claimed_ip: attempt.claimed_ip,
            hint: attempt.hint,
            path: shown(attempt.path),
        };
        Self {
            credential: attempt.credential,
            subject: attempt.group().subject.map(Box::from),
            refused,
            at,
        }
    }

    fn group(&self) -> GroupKey<'_> {
        GroupKey {
            credential: self.credential,
            reason: self.refused.reason,
            subject: self.subject.as_deref(),
            ip: self.refused.ip,
        }
    }

    fn into_entry(self) -> (Event, u64, Timestamp) {
        let count = self.refused.count;
        let event = match self.credential {
            CredentialKind::Key => Event::KeyRefused(self.refused),
            CredentialKind::AdminToken => Event::AdminRefused(self.refused),
        };
        (event, count, self.at)
    }
}

#[cfg(test)]
mod tests;
