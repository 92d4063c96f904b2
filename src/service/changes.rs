//! Passes on to all that is cached what has changed, and how long that is known.

use std::time::{Duration, Instant};

use super::Service;
use crate::model::{DEFAULT_LIMIT, LimitId, Moment};
use crate::quota_leases::QuotaKey;

impl Service {
    /// This moment by both clocks.
    pub fn moment(&self) -> Moment {
        Moment {
            instant: Instant::now(),
            time: self.now(),
        }
    }

    /// Marks a row of either table as changed.
    pub fn row_changed(&self, id: &str) {
        self.cache.changed(id);
        self.admin_tokens.changed(id);
        // After the cache, where a row that is read meanwhile is now stale.
        self.limits_changed(&LimitId::of_key(id, DEFAULT_LIMIT));
    }

    /// Marks the row of a client as changed.
    pub fn client_changed(&self, client_id: &str) {
        self.clients.changed(client_id);
        self.limits_changed(&LimitId::of_client(client_id, DEFAULT_LIMIT));
    }

    /// Marks a role as changed.
    pub fn role_changed(&self, name: &str) {
        self.roles.changed(name);
        self.rows_changed.notify_one();
    }

    /// Marks the limits and quotas as changed that belong to the same owner as this limit.
    fn limits_changed(&self, of_owner: &LimitId) {
        self.limiters.note_change(of_owner);
        self.leases.note_change(of_owner);
        self.rows_changed.notify_one();
    }

    /// Marks the row as changed that a quota stands in.
    pub fn quota_changed(&self, quota: &QuotaKey) {
        if quota.owner == QuotaKey::OF_KEY {
            self.row_changed(&quota.owner_id);
        } else {
            self.client_changed(&quota.owner_id);
        }
    }

    /// Marks all rows as changed.
    pub fn all_changed(&self) {
        self.cache.all_changed();
        self.admin_tokens.all_changed();
        self.clients.all_changed();
        self.roles.all_changed();
        self.limiters.note_change_of_all();
        self.leases.note_change_of_all();
        self.rows_changed.notify_one();
    }

    /// Records that all changes up to this instant have been read.
    pub fn changes_read_until(&self, at: Moment) {
        self.cache.read_until(at);
        self.admin_tokens.read_until(at);
    }

    /// Records that the changes were not read for this time, while the clock of the process stood still.
    pub fn changes_unread_for(&self, time: Duration) {
        self.cache.unread_for(time);
        self.admin_tokens.unread_for(time);
    }

    /// Gives up the connections if this process was frozen: then the changes were last read longer ago than they are
    /// believed, and the connections may be dead without anybody having said so.
    pub fn note_thaw(&self) {
        let now = self.moment();
        if !self.cache.is_trusted(now) {
            self.store.replace_after_freeze(now, self.config.staleness);
        }
    }

    /// Makes what is cached stale before it is older than `max_age`, see [`Cache::expire`](crate::cache::Cache::expire).
    pub fn expire_cached(&self, now: Duration, max_age: Duration) {
        self.cache.expire(now, max_age);
        self.admin_tokens.expire(now, max_age);
        self.clients.expire(now, max_age);
        self.roles.expire(now, max_age);
    }
}
