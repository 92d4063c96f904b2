//! The input of callers about quotas.

use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::input::{Fields, Value, quotas, rules};
use crate::model::{LimitOwner, Quota, QuotaGrant, Timestamp};
use crate::quota_leases::QuotaKey;

/// The input of `getQuota`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetQuota(pub QuotaKey);

/// The input of `grantQuota`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantQuota {
    pub quota: QuotaKey,
    pub grant: QuotaGrant,
}

impl GetQuota {
    pub fn read(value: Value) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let quota = quota(&mut fields);
        fields.finish(quota.map(Self))
    }
}

impl GrantQuota {
    /// A grant must end later than `now`.
    pub fn read(value: Value, now: Timestamp) -> Result<Self, Error> {
        let mut fields = Fields::of(value);
        let quota = quota(&mut fields);
        let amount = fields.required("amount", rules::large_integer(1..=Quota::AMOUNT_MAX));
        fields.treat_null_as_absent_except(&[]);
        let expires_at = fields.optional("expiresAt", rules::instant);
        if expires_at.is_some_and(|at| at <= now) {
            fields.fail("expiresAt", "must be in the future");
        }
        let text = fields.optional("idempotencyKey", rules::idempotency_key);
        let grant = amount.map(|amount| QuotaGrant {
            amount,
            expires_at,
            idempotency_key: text.map(|text| Sha256::digest(text).into()),
        });
        let read = quota.zip(grant);
        fields.finish(read.map(|(quota, grant)| Self { quota, grant }))
    }
}

/// The quota of exactly one key or client.
fn quota(fields: &mut Fields) -> Option<QuotaKey> {
    let key_id = fields.optional("keyId", rules::id);
    let client_id = fields.optional("clientId", rules::label(rules::NAME_MAX));
    let name = fields.required("name", quotas::name);
    let owner = match (&key_id, &client_id) {
        (Some(id), None) => Some(LimitOwner::Key(id)),
        (None, Some(id)) => Some(LimitOwner::Client(id)),
        (Some(_), Some(_)) => {
            fields.fail("clientId", "must not be combined with keyId");
            None
        }
        (None, None) => {
            fields.fail("", "must have keyId or clientId");
            None
        }
    };
    owner
        .zip(name)
        .map(|(owner, name)| QuotaKey::of(owner, &name))
}
