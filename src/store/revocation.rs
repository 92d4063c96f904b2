//! Revocation of keys.

use super::connection::error::StoreError;
use super::handle::Store;
use super::keys::{ChangedKey, lock_key, require_room};
use crate::error::{Conflict, Error};
use crate::model::{Actor, ApiKey, Revocation, RevocationReason, Timestamp};

impl Store {
    /// Marks the key as revoked. One that is revoked gets the new reason and keeps the time, but a compromised one stays as it
    /// is. `None` if there is no such row.
    pub async fn revoke_key(
        &self,
        revocation: &Revocation,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Option<ChangedKey>, Error> {
        let id = &*revocation.key_id;
        self.change("revoke_key", id, || async {
            let mut db = self.begin_change().await?;
            let Some(before) = lock_key(&mut db, id).await? else {
                return Ok(None);
            };
            if is_compromised(&before) {
                return Ok(Some(unchanged(before)));
            }
            let after = ApiKey {
                is_active: false,
                updated_at: now,
                revoked_at: before.revoked_at.or(Some(now)),
                revoked_by: actor.map(|actor| actor.as_str().to_owned()),
                revoked_reason: Some(revocation.reason.name().to_owned()),
                ..before.clone()
            };
            sqlx::query!(
                r#"
                UPDATE "ApiKey" SET
                  "wasActive" = CASE WHEN "revokedAt" IS NULL THEN "isActive" ELSE "wasActive" END,
                  "isActive" = false,
                  "updatedAt" = $2,
                  "revokedAt" = $3,
                  "revokedBy" = $4,
                  "revokedReason" = $5
                WHERE "id" = $1
                "#,
                id,
                now as _,
                after.revoked_at as _,
                after.revoked_by,
                after.revoked_reason,
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(Some(ChangedKey { before, after }))
        })
        .await
    }

    /// Undoes a revocation. A key that is not revoked stays as it is. `None` if there is no such row.
    pub async fn restore_key(&self, id: &str, now: Timestamp) -> Result<Option<ChangedKey>, Error> {
        self.change("restore_key", id, || async {
            let mut db = self.begin_change().await?;
            let Some(before) = lock_key(&mut db, id).await? else {
                return Ok(None);
            };
            if before.revoked_at.is_none() {
                return Ok(Some(unchanged(before)));
            }
            if is_compromised(&before) {
                let conflict = Error::Conflict(Conflict::KeyIsCompromised);
                return Err(StoreError::Refused(conflict));
            }
            require_room(&mut db, &before.client_id).await?;
            let is_active = sqlx::query_scalar!(
                r#"
                UPDATE "ApiKey" SET
                  "isActive" = coalesce("wasActive", true),
                  "wasActive" = NULL,
                  "updatedAt" = $2,
                  "revokedAt" = NULL,
                  "revokedBy" = NULL,
                  "revokedReason" = NULL
                WHERE "id" = $1
                RETURNING coalesce("isActive", false) AS "is_active!"
                "#,
                id,
                now as _,
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

fn unchanged(key: ApiKey) -> ChangedKey {
    ChangedKey {
        before: key.clone(),
        after: key,
    }
}

fn is_compromised(key: &ApiKey) -> bool {
    key.revoked_reason.as_deref() == Some(RevocationReason::Compromised.name())
}
