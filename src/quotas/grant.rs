//! Grants units of a quota, beyond those of its periods.

use super::get::get;
use super::input::{GetQuota, GrantQuota};
use crate::error::Error;
use crate::events::{Event, QuotaEvent};
use crate::model::{Actor, Escaped, QuotaState, Timestamp};
use crate::quota_leases::QuotaKey;
use crate::service::Service;

pub async fn grant(
    service: &Service,
    grant: GrantQuota,
    actor: Option<Actor>,
    now: Timestamp,
) -> Result<QuotaState, Error> {
    let GrantQuota { quota, grant } = grant;
    let granted = service.store.grant_quota(&quota, &grant).await;
    // Even after an error, since the grant may have been made all the same.
    service.quota_changed(&quota);
    if !granted? {
        return Err(Error::NotFound("Quota"));
    }
    let (key_id, client_id) = owner(&quota);
    service.record(
        Event::QuotaGranted(QuotaEvent {
            key_id,
            client_id,
            quota: quota.name.to_string(),
            amount: grant.amount,
            expires_at: grant.expires_at,
            actor: actor.as_ref().map(Actor::escaped),
        }),
        now,
    );
    get(service, GetQuota(quota)).await
}

fn owner(quota: &QuotaKey) -> (Option<Escaped>, Option<Escaped>) {
    let id = Some(Escaped::new(&quota.owner_id));
    if quota.owner == QuotaKey::OF_KEY {
        (id, None)
    } else {
        (None, id)
    }
}
