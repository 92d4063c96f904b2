//! Grants units of a quota, beyond those of its periods.

use super::get::get;
use super::input::{GetQuota, GrantQuota};
use crate::error::Error;
use crate::events::{Event, QuotaEvent};
use crate::model::{Actor, Escaped, Granted, QuotaGrant, QuotaState, Timestamp};
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
    match granted? {
        Granted::Now => service.record(
            Event::QuotaGranted(event(&quota, &grant, actor.as_ref())),
            now,
        ),
        Granted::Before => {}
        Granted::Nothing => return Err(Error::NotFound("Quota")),
    }
    get(service, GetQuota(quota)).await
}

fn event(quota: &QuotaKey, grant: &QuotaGrant, actor: Option<&Actor>) -> QuotaEvent {
    let (key_id, client_id) = owner(quota);
    QuotaEvent {
        key_id,
        client_id,
        quota: quota.name.to_string(),
        amount: grant.amount,
        expires_at: grant.expires_at,
        actor: actor.map(Actor::escaped),
    }
}

fn owner(quota: &QuotaKey) -> (Option<Escaped>, Option<Escaped>) {
    let id = Some(Escaped::new(&quota.owner_id));
    if quota.owner == QuotaKey::OF_KEY {
        (id, None)
    } else {
        (None, id)
    }
}
