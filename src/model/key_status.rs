//! What has become of a key.

use serde::{Serialize, Serializer};

use super::key::ApiKey;
use super::timestamp::Timestamp;

/// What has become of a key. Of several that apply, it is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStatus {
    Revoked,
    Disabled,
    Expired,
    Suspended,
    Active,
}

impl KeyStatus {
    pub const ALL: [Self; 5] = [
        Self::Revoked,
        Self::Disabled,
        Self::Expired,
        Self::Suspended,
        Self::Active,
    ];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Active => "active",
        }
    }

    /// `max_idle_days` are the configured ones.
    #[must_use]
    pub fn of(key: &ApiKey, now: Timestamp, max_idle_days: Option<i32>) -> Self {
        if key.revoked_at.is_some() {
            Self::Revoked
        } else if !key.is_active {
            Self::Disabled
        } else if key.expires_at.is_some_and(|at| at <= now) || key.is_idle(max_idle_days) {
            Self::Expired
        } else if key.suspended_until.is_some_and(|until| until > now) {
            Self::Suspended
        } else {
            Self::Active
        }
    }
}

impl Serialize for KeyStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
