//! Revocation of keys.

use serde_json::json;

use super::connection::error::StoreError;
use super::handle::Store;
use super::keys::{ChangedKey, lock_key, require_room};
use crate::error::{Conflict, Error};
use crate::model::{Actor, ApiKey, Revocation, RevocationReason, Timestamp};

impl Store {
    /// Marks the key as revoked. Of one that is revoked, only the reason changes, unless it is compromised. `None` if there is no
    /// such row.
    pub async fn revoke_key(
        &self,
        revocation: &Revocation,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Option<ApiKey>, Error> {
        let id = &*revocation.key_id;
        self.change("revoke_key", id, || async {
            let mut db = self.begin_change().await?;
            let Some(before) = lock_key(&mut db, id).await? else {
                return Ok(None);
            };
            let owner = revocation.client_id.as_ref();
            if owner.is_some_and(|owner| *owner != before.client_id) {
                return Ok(None);
            }
            let Some(after) = revoked(&before, revocation, actor, now)? else {
                return Ok(Some(before));
            };
            sqlx::query!(
                r#"
                UPDATE "ApiKey" SET
                  "wasActive" = CASE WHEN "revokedAt" IS NULL THEN coalesce("isActive", false)
                    ELSE coalesce("wasActive", "isActive", false) END,
                  "isActive" = false,
                  "updatedAt" = $2,
                  "revokedAt" = $3,
                  "revokedBy" = $4,
                  "revokedReason" = $5
                WHERE "id" = $1 AND sophra_api_keys.told($6, $7)
                "#,
                id,
                now as _,
                after.revoked_at as _,
                after.revoked_by,
                after.revoked_reason,
                actor.map(Actor::as_str),
                json!({ "note": revocation.note }),
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(Some(after))
        })
        .await
    }

    /// Undoes a revocation. A key that is not revoked stays as it is. `None` if there is no such row.
    pub async fn restore_key(
        &self,
        id: &str,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Option<ChangedKey>, Error> {
        self.change("restore_key", id, || async {
            let mut db = self.begin_change().await?;
            let Some(before) = lock_key(&mut db, id).await? else {
                return Ok(None);
            };
            if before.revoked_at.is_none() {
                let after = before.clone();
                return Ok(Some(ChangedKey { before, after }));
            }
            require_restorable(&before)?;
            require_room(&mut db, &before.client_id, None).await?;
            let is_active = sqlx::query_scalar!(
                r#"
                UPDATE "ApiKey" SET
                  "isActive" = coalesce("wasActive", "isActive", false),
                  "wasActive" = NULL,
                  "updatedAt" = $2,
                  "revokedAt" = NULL,
                  "revokedBy" = NULL,
                  "revokedReason" = NULL
                WHERE "id" = $1 AND sophra_api_keys.told($3)
                RETURNING coalesce("isActive", false) AS "is_active!"
                "#,
                id,
                now as _,
                actor.map(Actor::as_str),
            )
            .fetch_one(&mut db)
            .await?;
            db.commit().await?;
            let after = ApiKey {
                is_active,
                updated_at: now,
                revoked_at: None,
                revoked_by: None,
                revoked_reason: None,
                ..before.clone()
            };
            Ok(Some(ChangedKey { before, after }))
        })
        .await
    }
}

/// The key as it is once it is revoked; `None` if it is already.
fn revoked(
    before: &ApiKey,
    revocation: &Revocation,
    actor: Option<&Actor>,
    now: Timestamp,
) -> Result<Option<ApiKey>, StoreError> {
    let known = before.revoked_reason.as_deref();
    let reason = revocation.reason.map(RevocationReason::name).or(known);
    let reason = reason.unwrap_or(RevocationReason::Unspecified.name());
    if known != Some(reason) {
        require_restorable(before)?;
    } else if !before.is_active {
        return Ok(None);
    }
    let mut after = ApiKey {
        is_active: false,
        updated_at: now,
        revoked_reason: Some(reason.to_owned()),
        ..before.clone()
    };
    if before.revoked_at.is_none() {
        after.revoked_at = Some(now);
        after.revoked_by = actor.map(|actor| actor.as_str().to_owned());
    }
    Ok(Some(after))
}

/// Fails if the key is compromised: then it is revoked for good.
fn require_restorable(key: &ApiKey) -> Result<(), StoreError> {
    if key.is_compromised() {
        return Err(StoreError::Refused(Error::Conflict(
            Conflict::KeyIsCompromised,
        )));
    }
    Ok(())
}
