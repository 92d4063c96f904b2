//! Refused attempts, counted in groups: a flood becomes a few entries, and still every attempt is counted.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;

use hashbrown::HashTable;

use crate::events::{Event, LimitName, RefusedAttempts};
use crate::model::{Escaped, Level, Timestamp};

/// Groups kept between two flushes, for attempts with the key or token of a row and for all others. Attempts of further
/// groups are counted together, by credential and reason alone.
const GROUPS_MAX: usize = 1_000;

/// The kind of credential that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CredentialKind {
    #[default]
    Key,
    AdminToken,
}

/// A refused attempt. It is borrowed, so that nothing is copied if its group exists already.
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
    /// The limit that refused it.
    pub limited_by: Option<(Level, &'a str)>,
    pub hint: Option<&'static str>,
}

/// What a request claims. It is kept of the first attempt of a group, so of most attempts it is never read.
#[derive(Debug, Clone, Default)]
pub struct Claims {
    pub ip: Option<IpAddr>,
    pub path: Option<String>,
}

/// The properties that the attempts of one group share.
#[derive(PartialEq, Eq)]
struct GroupKey<'a> {
    credential: CredentialKind,
    reason: &'static str,
    subject: Option<&'a str>,
    ip: Option<IpAddr>,
}

impl Hash for GroupKey<'_> {
    /// The other fields have few values, and hashing them would take as long as these.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.subject.hash(state);
        self.ip.hash(state);
    }
}

/// The first attempt of a group, and the number of attempts.
#[derive(Debug)]
struct AttemptGroup {
    credential: CredentialKind,
    /// The subject as it was presented, since two subjects may look the same after they are escaped and cut.
    subject: Option<Box<str>>,
    refused: RefusedAttempts,
    at: Timestamp,
}

/// Attempts with the key or token of a row are kept apart from those with made-up ones, which anyone can make in any
/// number: a flood of these must not hide who uses a stolen key.
#[derive(Debug, Default)]
pub(super) struct AttemptGroups {
    known: GroupTable,
    unknown: GroupTable,
}

impl AttemptGroups {
    pub(super) fn is_empty(&self) -> bool {
        self.known.groups.is_empty() && self.unknown.groups.is_empty()
    }

    pub(super) fn count(
        &mut self,
        attempt: &Attempt<'_>,
        claims: impl FnOnce() -> Claims,
        now: Timestamp,
    ) {
        let table = if attempt.is_of_row() {
            &mut self.known
        } else {
            &mut self.unknown
        };
        table.count(attempt, claims, now);
    }

    /// Takes all groups: each with its event, its count and the time of its first attempt. Those of rows come first, so
    /// that a listener that drops some drops the others, and then the oldest.
    pub(super) fn take(&mut self) -> Vec<(Event, u64, Timestamp)> {
        let mut groups = self.known.take();
        groups.extend(self.unknown.take());
        groups.into_iter().map(AttemptGroup::into_entry).collect()
    }
}

#[derive(Debug, Default)]
struct GroupTable {
    groups: HashTable<AttemptGroup>,
    hasher: RandomState,
}

impl GroupTable {
    /// Counts an attempt. When the table is full, attempts of new groups are counted in one group for each reason.
    fn count(&mut self, attempt: &Attempt<'_>, claims: impl FnOnce() -> Claims, now: Timestamp) {
        if self.count_again(attempt) {
            return;
        }
        if self.groups.len() < GROUPS_MAX {
            self.insert(AttemptGroup::new(attempt, &claims(), now));
            return;
        }
        let reason_only = attempt.reason_only();
        if !self.count_again(&reason_only) {
            self.insert(AttemptGroup::new(&reason_only, &Claims::default(), now));
        }
    }

    /// Counts an attempt whose group exists already. Returns whether it does.
    fn count_again(&mut self, attempt: &Attempt<'_>) -> bool {
        let key = attempt.group_key();
        let hash = self.hasher.hash_one(&key);
        let group = self.groups.find_mut(hash, |it| it.key() == key);
        group.is_some_and(|group| {
            group.refused.count += 1;
            true
        })
    }

    fn insert(&mut self, group: AttemptGroup) {
        let Self { groups, hasher } = self;
        let hash_of = |it: &AttemptGroup| hasher.hash_one(it.key());
        groups.insert_unique(hash_of(&group), group, hash_of);
    }

    /// Takes the groups, oldest first.
    fn take(&mut self) -> Vec<AttemptGroup> {
        let mut groups: Vec<_> = std::mem::take(&mut self.groups).into_iter().collect();
        groups.sort_by_key(|group| group.at);
        groups
    }
}

impl Attempt<'_> {
    fn group_key(&self) -> GroupKey<'_> {
        GroupKey {
            credential: self.credential,
            reason: self.reason,
            subject: self.key_id.or(self.token_id).or(self.lookup),
            ip: self.ip,
        }
    }

    /// Whether the credential was that of a row.
    fn is_of_row(&self) -> bool {
        self.key_id.is_some() || self.token_id.is_some()
    }

    /// The attempt reduced to its credential kind and reason.
    fn reason_only(&self) -> Self {
        Self {
            credential: self.credential,
            reason: self.reason,
            ..Self::default()
        }
    }
}

impl AttemptGroup {
    fn new(attempt: &Attempt<'_>, claims: &Claims, at: Timestamp) -> Self {
        let escaped = |text: Option<&str>| text.map(Escaped::new);
        let refused = RefusedAttempts {
            reason: attempt.reason,
            count: 1,
            key_id: escaped(attempt.key_id),
            name: escaped(attempt.name),
            client_id: escaped(attempt.client_id),
            token_id: escaped(attempt.token_id),
            lookup: escaped(attempt.lookup),
            ip: attempt.ip,
            claimed_ip: claims.ip,
            limited_by: attempt.limited_by.map(|(level, name)| LimitName {
                level,
                name: Escaped::new(name),
            }),
            hint: attempt.hint,
            path: escaped(claims.path.as_deref()),
        };
        Self {
            credential: attempt.credential,
            subject: attempt.group_key().subject.map(Box::from),
            refused,
            at,
        }
    }

    fn key(&self) -> GroupKey<'_> {
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
