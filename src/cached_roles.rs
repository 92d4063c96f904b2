//! The roles of cached keys, and whether what was read of them is current.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::cache::{Row, Rows, Sequence};
use crate::model::HeldScopes;

/// The roles that a key names, as they were at one position in the sequence of changes of roles.
#[derive(Clone)]
pub struct KeyRoles {
    roles: Arc<[KeyRole]>,
    read_at: Sequence,
}

struct KeyRole {
    row: Arc<RoleRow>,
    /// Shared by the keys that name it. `None` if there is no such role.
    scopes: Option<Arc<HeldScopes>>,
}

/// What was last read of the role. It keeps nothing in memory that no key needs.
type RoleRow = Row<Mutex<Weak<HeldScopes>>>;

impl KeyRoles {
    /// The scopes of each role that there is.
    pub fn scopes(&self) -> impl Iterator<Item = &Arc<HeldScopes>> {
        self.roles.iter().filter_map(|role| role.scopes.as_ref())
    }

    /// The part of this key in the memory that all keys of the same roles share, in bytes.
    pub fn bytes(&self) -> usize {
        let parts = self
            .scopes()
            .map(|scopes| scopes.bytes() / Arc::strong_count(scopes).max(1));
        size_of_val(&*self.roles) + parts.sum::<usize>()
    }
}

/// The roles of all cached keys.
pub struct CachedRoles(Rows<Mutex<Weak<HeldScopes>>>);

impl CachedRoles {
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self(Rows::new(now))
    }

    /// The current position, to be recorded before roles are read.
    pub fn sequence(&self) -> Sequence {
        self.0.sequence()
    }

    /// The roles of a key that were read from `read_at` on. `held` makes of a list of scopes what a key holds by it.
    pub fn read(
        &self,
        roles: Vec<(Box<str>, Option<Vec<String>>)>,
        read_at: Sequence,
        held: impl Fn(Vec<String>) -> HeldScopes,
    ) -> KeyRoles {
        let roles = roles.into_iter().map(|(name, scopes)| {
            let row = self.0.get(&name);
            let scopes = scopes.map(|scopes| {
                let mut last = row.shared.lock();
                let known = last.upgrade().filter(|known| known.are_of(&scopes));
                let scopes = known.unwrap_or_else(|| Arc::new(held(scopes)));
                *last = Arc::downgrade(&scopes);
                scopes
            });
            KeyRole { row, scopes }
        });
        KeyRoles {
            roles: roles.collect(),
            read_at,
        }
    }

    /// Whether none of the roles has changed since they were read.
    pub fn are_current(&self, roles: &KeyRoles) -> bool {
        self.0.are_unchanged(roles.read_at)
            || roles
                .roles
                .iter()
                .all(|role| self.0.is_unchanged(&role.row, roles.read_at))
    }

    /// Records that a role has changed.
    pub fn changed(&self, name: &str) {
        self.0.changed(name);
    }

    /// Records that every role may have changed.
    pub fn all_changed(&self) {
        self.0.all_changed();
    }

    /// Makes what was read stale before it is older than `max_age`, see [`Rows::expire`].
    pub fn expire(&self, now: Duration, max_age: Duration) {
        self.0.expire(now, max_age);
    }

    /// Drops what is known of roles that no cached key names, once it is too much.
    pub fn sweep(&self, keys: usize) {
        self.0.sweep(keys);
    }
}
