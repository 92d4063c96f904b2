//! Refused attempts, counted by what they have in common: a flood becomes few entries, and no attempt is uncounted.

use std::collections::HashMap;

use crate::events::{Event, Refused, printable};
use crate::model::Timestamp;

/// Kinds told apart between two flushes; those beyond are counted together, by their reason alone.
const KINDS_MAX: usize = 1_000;
/// Characters of a path that are kept.
const PATH_MAX: usize = 256;

/// Whose attempt it was: of a key, or of an admin token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Of {
    Key,
    Admin,
}

/// An attempt that was refused: its `count` is not yet known.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub of: Of,
    pub refused: Refused,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Kind {
    of: Of,
    reason: &'static str,
    whose: Option<String>,
    ip: Option<String>,
}

#[derive(Debug)]
struct Counted {
    first: Attempt,
    at: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<Kind, Counted>);

impl Refusals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn count(&mut self, attempt: Attempt, now: Timestamp) {
        let (kind, first) = if self.0.len() < KINDS_MAX {
            (Kind::of(&attempt), attempt)
        } else {
            self.known_or_any(attempt)
        };
        let counted = self.0.entry(kind).or_insert(Counted { first, at: now });
        counted.first.refused.count += 1;
    }

    /// There is room for the kinds that are known, and for one of each reason.
    fn known_or_any(&self, attempt: Attempt) -> (Kind, Attempt) {
        let kind = Kind::of(&attempt);
        if self.0.contains_key(&kind) {
            return (kind, attempt);
        }
        let any = Attempt {
            of: attempt.of,
            refused: Refused {
                reason: attempt.refused.reason,
                ..Refused::default()
            },
        };
        (Kind::of(&any), any)
    }

    /// What was counted since the last time, oldest first.
    pub(super) fn take(&mut self) -> Vec<(Event, u64, Timestamp)> {
        let mut counted: Vec<_> = std::mem::take(&mut self.0).into_values().collect();
        counted.sort_by_key(|counted| counted.at);
        let entry = |counted: Counted| {
            let count = counted.first.refused.count;
            (counted.first.into_event(), count, counted.at)
        };
        counted.into_iter().map(entry).collect()
    }
}

impl Kind {
    fn of(attempt: &Attempt) -> Self {
        let Refused {
            reason,
            key_id,
            token_id,
            lookup,
            ip,
            ..
        } = &attempt.refused;
        let whose = key_id.as_ref().or(token_id.as_ref()).or(lookup.as_ref());
        Self {
            of: attempt.of,
            reason,
            whose: whose.cloned(),
            ip: ip.clone(),
        }
    }
}

impl Attempt {
    fn into_event(self) -> Event {
        let shown = |text: Option<String>| text.map(|text| printable(&text));
        let path = self.refused.path;
        let refused = Refused {
            name: shown(self.refused.name),
            client_id: shown(self.refused.client_id),
            path: shown(path.map(|path| path.chars().take(PATH_MAX).collect())),
            ..self.refused
        };
        match self.of {
            Of::Key => Event::KeyRefused(refused),
            Of::Admin => Event::AdminRefused(refused),
        }
    }
}
