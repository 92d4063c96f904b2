//! An API key as it is administered.

use std::time::Duration;

use serde::Serialize;

use super::idle::idle_after;
use super::limit::Limits;
use super::metadata::Metadata;
use super::quota::Quotas;
use super::revocation::RevocationReason;
use super::timestamp::Timestamp;

/// An API key as it is stored, without anything secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    pub client_id: String,
    pub description: Option<String>,
    pub is_active: bool,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    pub allowed_ips: Vec<String>,
    /// The origins whose pages may use the key; `None`: any.
    pub origins: Option<Vec<String>>,
    /// Requests per window; below 1 means no limit (legacy rows).
    pub rate_limit: Option<i32>,
    /// `None` means the configured window.
    pub rate_limit_window_seconds: Option<i32>,
    /// Further limits, beside that of `rate_limit`.
    #[serde(skip_serializing_if = "Limits::are_unreadable")]
    pub limits: Limits,
    #[serde(skip_serializing_if = "Quotas::are_unreadable")]
    pub quotas: Quotas,
    pub usage_count: i64,
    /// The displayable beginning of the key; `None` on legacy rows.
    pub start: Option<String>,
    /// The actor who created the key; `None` if none was named, and on legacy rows.
    pub created_by: Option<String>,
    pub scopes: Vec<String>,
    /// Sets of scopes that it holds beside its own.
    pub roles: Vec<String>,
    pub metadata: Option<Metadata>,
    pub suspended_until: Option<Timestamp>,
    pub previous_key_expires_at: Option<Timestamp>,
    /// The last use of the previous key since it was replaced.
    pub previous_key_last_used_at: Option<Timestamp>,
    /// `None`: it was not used since its creation or the last rotation.
    pub current_key_first_used_at: Option<Timestamp>,
    /// The address of the last use, if addresses are stored.
    pub last_used_ip: Option<String>,
    /// `None` means the configured one.
    pub max_idle_days: Option<i32>,
    /// Since it was last used, created or rotated, by the clock of the database.
    #[serde(skip)]
    pub unused_ms: i64,
    /// `None`: it is not revoked.
    pub revoked_at: Option<Timestamp>,
    pub revoked_by: Option<String>,
    /// One of [`RevocationReason`](super::RevocationReason), unless another writer has stored another text.
    pub revoked_reason: Option<String>,
}

impl ApiKey {
    /// A key right before it is stored, with every setting at its default.
    #[must_use]
    pub fn new(id: String, now: Timestamp) -> Self {
        Self {
            id,
            name: String::new(),
            client_id: String::new(),
            description: None,
            is_active: true,
            expires_at: None,
            created_at: now,
            updated_at: now,
            last_used_at: None,
            allowed_ips: Vec::new(),
            origins: None,
            rate_limit: None,
            rate_limit_window_seconds: None,
            limits: Limits::default(),
            quotas: Quotas::default(),
            usage_count: 0,
            start: None,
            created_by: None,
            scopes: Vec::new(),
            roles: Vec::new(),
            metadata: None,
            suspended_until: None,
            previous_key_expires_at: None,
            previous_key_last_used_at: None,
            current_key_first_used_at: None,
            last_used_ip: None,
            max_idle_days: None,
            unused_ms: 0,
            revoked_at: None,
            revoked_by: None,
            revoked_reason: None,
        }
    }

    /// Notes that the key was replaced.
    pub fn note_rotation(&mut self) {
        self.previous_key_last_used_at = None;
        self.current_key_first_used_at = None;
        self.unused_ms = 0;
    }

    /// Whether it was not used for longer than it may be.
    #[must_use]
    pub fn is_idle(&self, configured_days: Option<i32>) -> bool {
        let unused = Duration::from_millis(u64::try_from(self.unused_ms).unwrap_or(0));
        idle_after(self.max_idle_days, configured_days).is_some_and(|after| unused >= after)
    }

    /// Whether it is revoked because somebody else may know it, and so for good.
    #[must_use]
    pub fn is_compromised(&self) -> bool {
        self.revoked_reason.as_deref() == Some(RevocationReason::Compromised.name())
    }
}

/// The change of one field in an input.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum FieldChange<T> {
    #[default]
    Keep,
    Set(T),
}

impl<T: Clone> FieldChange<T> {
    pub fn apply(&self, current: &mut T) {
        if let Self::Set(value) = self {
            current.clone_from(value);
        }
    }
}

/// Declares the settings of a key once: the fields of [`KeyChanges`], and how they are applied.
macro_rules! key_settings {
    ($($field:ident: $type:ty,)*) => {
        /// The settings of a key that an input names. A new key is a change of the defaults.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct KeyChanges {
            $(pub $field: FieldChange<$type>,)*
            pub lift_suspension: bool,
            pub end_grace_period: bool,
        }

        impl KeyChanges {
            fn apply_settings(&self, key: &mut ApiKey) {
                $(self.$field.apply(&mut key.$field);)*
            }
        }
    };
}

key_settings! {
    name: String,
    client_id: String,
    description: Option<String>,
    is_active: bool,
    expires_at: Option<Timestamp>,
    allowed_ips: Vec<String>,
    origins: Option<Vec<String>>,
    rate_limit: Option<i32>,
    rate_limit_window_seconds: Option<i32>,
    limits: Limits,
    quotas: Quotas,
    scopes: Vec<String>,
    roles: Vec<String>,
    metadata: Option<Metadata>,
    max_idle_days: Option<i32>,
}

impl KeyChanges {
    /// Applies the changes to the key.
    pub fn apply(&self, key: &mut ApiKey, now: Timestamp) {
        self.apply_settings(key);
        if self.lift_suspension {
            key.suspended_until = None;
        }
        if self.end_grace_period {
            key.previous_key_expires_at = None;
        }
        key.updated_at = now;
    }
}
