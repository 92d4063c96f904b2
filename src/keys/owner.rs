//! The client for whom a call changes keys, and what its keys may be.

use crate::error::Error;
use crate::input::{Fields, Value, rules};
use crate::model::{ApiKey, FieldChange, HeldScopes, Kind, Timestamp, Ttl};
use crate::service::Service;

/// Days that a key may live at most.
const DAYS: std::ops::RangeInclusive<i32> = 1..=36_500;

/// Who a key must belong to. Its new keys have ceilings beside those of their kind.
#[derive(Debug)]
pub struct KeyOwner {
    pub client_id: String,
    /// The ceilings, as those of a kind.
    pub(super) ceilings: Kind,
    pub(super) max_keys: Option<i32>,
}

impl KeyOwner {
    /// `None` if the call is for nobody in particular.
    pub fn read(value: Value) -> Result<Option<Self>, Error> {
        if value == Value::Undefined {
            return Ok(None);
        }
        let mut fields = Fields::of(value);
        let client_id = fields.required("clientId", rules::label(rules::NAME_MAX));
        // Who is named in the audit log is read along with the other fields, and used elsewhere.
        fields.required("actor", rules::label(rules::NAME_MAX));
        let grantable = fields.required("grantable", rules::scopes);
        let mut most = |name, range| match fields.change(name, rules::integer(range)) {
            FieldChange::Set(most) => Some(most),
            FieldChange::Keep => None,
        };
        let max_keys = most("maxKeys", rules::MAX_KEYS);
        let max_days = most("maxTtlDays", DAYS);
        let max_rate_limit = most("maxRateLimit", rules::RATE_LIMIT);
        let read = client_id.zip(grantable).map(|(client_id, grantable)| Self {
            client_id,
            ceilings: Kind {
                name: "".into(),
                prefix: String::new(),
                allowed_scopes: Some(HeldScopes::new(grantable).into()),
                default_scopes: None,
                default_rate_limit: None,
                max_rate_limit,
                ttl: Ttl {
                    default_days: None,
                    max_days,
                },
            },
            max_keys,
        });
        fields.finish(read).map(Some)
    }

    /// Which of these scopes are beyond those that it may grant.
    #[must_use]
    pub fn beyond(&self, mut scopes: Vec<String>) -> Vec<String> {
        scopes.retain(|scope| !self.ceilings.allows_scope(scope));
        scopes
    }
}

/// The time of a call for an owner is that of the server, so that the days of a ceiling are counted alike in all processes.
pub async fn now_for(
    service: &Service,
    owner: Option<&KeyOwner>,
    now: Timestamp,
) -> Result<Timestamp, Error> {
    match owner {
        Some(_) => Ok(service.store.read_changes(None).await?.now),
        None => Ok(now),
    }
}

/// Fails as if there was no such key if it belongs to another client.
pub(super) fn require_own(owner: Option<&KeyOwner>, key: &ApiKey) -> Result<(), Error> {
    match owner {
        Some(owner) if owner.client_id != key.client_id => Err(Error::NotFound("API key")),
        _ => Ok(()),
    }
}
