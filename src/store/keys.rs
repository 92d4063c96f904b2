//! The rows of `"ApiKey"`: read, change, delete.

use super::connection::Session;
use super::connection::error::StoreError;
use super::handle::Store;
use super::rotation::{Rotation, replace_credential};
use crate::error::{Conflict, Error, Issue};
use crate::model::{Actor, ApiKey, FieldChange, KeyChanges, Limits, Metadata, Quotas, Timestamp};

/// A query that returns key rows: `$head`, the columns of an [`ApiKey`], `$tail`.
///
/// A NULL entry of `"allowedIps"` becomes an unparseable one, so that the list refuses everyone. Other writers may put lists
/// into lists, and number the items of a list from any number: such a row must not make a page unreadable.
macro_rules! key_rows {
    ($head:literal, $tail:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            ApiKey,
            $head
            + r#"
                "id",
                coalesce("name", '') AS "name!",
                coalesce("clientId", '') AS "client_id!",
                "description",
                coalesce("isActive", false) AS "is_active!",
                "expiresAt" AS "expires_at: Timestamp",
                "createdAt" AS "created_at!: Timestamp",
                "updatedAt" AS "updated_at!: Timestamp",
                "lastUsedAt" AS "last_used_at: Timestamp",
                ARRAY(SELECT coalesce(address, '') FROM unnest("allowedIps") AS address) AS "allowed_ips!",
                CASE WHEN "origins" IS NOT NULL
                  THEN ARRAY(SELECT coalesce(origin, '') FROM unnest("origins") AS origin) END AS "origins",
                "rateLimit" AS "rate_limit",
                "rateLimitWindowSeconds" AS "rate_limit_window_seconds",
                coalesce("limits", '[]') AS "limits!: Limits",
                coalesce("quotas", '[]') AS "quotas!: Quotas",
                "usageCount"::bigint AS "usage_count!",
                "start",
                "createdBy" AS "created_by",
                ARRAY(SELECT scope FROM unnest("scopes") AS scope WHERE scope IS NOT NULL) AS "scopes!",
                ARRAY(SELECT role FROM unnest("roles") AS role WHERE role IS NOT NULL) AS "roles!",
                "metadata" AS "metadata: Metadata",
                "suspendedUntil" AS "suspended_until: Timestamp",
                "lastUsedIp" AS "last_used_ip",
                "maxIdleDays" AS "max_idle_days",
                "currentKeyFirstUsedAt" AS "current_key_first_used_at: Timestamp",
                "previousKeyLastUsedAt" AS "previous_key_last_used_at: Timestamp",
                coalesce(sophra_api_keys.unused_ms("lastUsedAt", "createdAt", "rotatedAt"), 0) AS "unused_ms!",
                "previousKeyExpiresAt" AS "previous_key_expires_at: Timestamp",
                "revokedAt" AS "revoked_at: Timestamp",
                CASE WHEN "revokedAt" IS NOT NULL THEN "revokedBy" END AS "revoked_by",
                CASE WHEN "revokedAt" IS NOT NULL THEN coalesce("revokedReason", 'unspecified') END AS "revoked_reason"
            "#
            + $tail,
            $($argument),*
        )
    };
}

pub(super) use key_rows;

/// A statement that writes the settings of a key: `$head`, their columns, `$middle`, their values `$2` to `$17`,
/// `$tail`. `$1` is the id, and the arguments from `$18` on are the statement's own.
macro_rules! write_settings {
    ($head:literal, $middle:literal, $tail:literal, $key:ident, $($argument:expr),* $(,)?) => {
        sqlx::query!(
            $head
            + r#"
                "name", "clientId", "description", "isActive", "expiresAt", "updatedAt", "allowedIps", "rateLimit",
                "rateLimitWindowSeconds", "scopes", "metadata", "limits", "quotas", "maxIdleDays",
                "origins", "roles"
            "#
            + $middle
            + r#"
                $2::text, $3::text, $4::text, $5::boolean, $6::timestamp, $7::timestamp, $8::text[], $9::integer,
                $10::integer, $11::text[], $12::jsonb, nullif($13::jsonb, '[]'),
                nullif($14::jsonb, '[]'), $15::integer, $16::text[],
                $17::text[]
            "#
            + $tail,
            $key.id,
            $key.name,
            $key.client_id,
            $key.description,
            $key.is_active,
            $key.expires_at as _,
            $key.updated_at as _,
            &$key.allowed_ips,
            $key.rate_limit,
            $key.rate_limit_window_seconds,
            &$key.scopes,
            $key.metadata as _,
            &$key.limits as _,
            &$key.quotas as _,
            $key.max_idle_days,
            $key.origins.as_deref(),
            &$key.roles,
            $($argument),*
        )
    };
}

pub(super) use write_settings;

/// A key before and after a change.
#[derive(Debug)]
pub struct ChangedKey {
    pub before: ApiKey,
    pub after: ApiKey,
}

impl Store {
    /// Applies the changes to the locked row, unless `may` refuses them for this key, and, with a rotation, replaces the key. `None`
    /// if there is no such row.
    pub async fn change_key(
        &self,
        id: &str,
        changes: &KeyChanges,
        rotation: Option<&Rotation>,
        actor: Option<&Actor>,
        now: Timestamp,
        may: &(dyn Fn(&ApiKey) -> Result<(), Error> + Sync),
    ) -> Result<Option<ChangedKey>, Error> {
        self.change("change_key", id, || async {
            let mut db = self.begin_change().await?;
            let Some(before) = lock_key(&mut db, id).await? else {
                return Ok(None);
            };
            may(&before).map_err(StoreError::Refused)?;
            let is_enabled = changes.is_active == FieldChange::Set(true) || rotation.is_some();
            if is_enabled && before.revoked_at.is_some() {
                return Err(StoreError::Refused(Error::Conflict(
                    if before.is_compromised() {
                        Conflict::KeyIsCompromised
                    } else {
                        Conflict::KeyIsRevoked
                    },
                )));
            }
            let mut key = before.clone();
            changes.apply(&mut key, now);
            // A revoked key does not count.
            if key.client_id != before.client_id && key.revoked_at.is_none() {
                require_room(&mut db, &key.client_id, None).await?;
            }
            if changes.roles != FieldChange::Keep {
                require_roles(&mut db, &key.roles).await?;
            }
            if let Some(rotation) = rotation {
                key.start = Some(rotation.credential.start.clone());
                key.note_rotation();
                key.previous_key_expires_at =
                    replace_credential(&mut db, id, rotation, actor).await?;
            }
            write_key(&mut db, &key, changes, actor).await?;
            db.commit().await?;
            Ok(Some(ChangedKey { before, after: key }))
        })
        .await
    }

    /// Returns whether the row existed. A repeat would have the same effect but return the wrong answer, so it is not
    /// retried.
    pub async fn delete_key(&self, id: &str, actor: Option<&Actor>) -> Result<bool, Error> {
        self.change("delete_key", id, || async {
            let mut db = self.begin_change().await?;
            let done = sqlx::query!(
                r#"DELETE FROM "ApiKey" WHERE "id" = $1 AND sophra_api_keys.told($2)"#,
                id,
                actor.map(Actor::as_str),
            )
            .execute(&mut db)
            .await?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

/// The key, whose row stays locked until the transaction ends.
pub(super) async fn lock_key(db: &mut Session, id: &str) -> sqlx::Result<Option<ApiKey>> {
    key_rows!("SELECT", r#"FROM "ApiKey" WHERE "id" = $1 FOR UPDATE"#, id)
        .fetch_optional(db)
        .await
}

/// Fails if the client has as many keys as it may have, at most so many by the call itself. In a transaction, others that add a key
/// to the client wait for its end.
pub(super) async fn require_room(
    db: &mut Session,
    client_id: &str,
    most: Option<i32>,
) -> Result<(), StoreError> {
    let has_room = sqlx::query_scalar!(
        r#"SELECT sophra_api_keys.client_has_room_within($1, $2) AS "has_room!""#,
        client_id,
        most,
    )
    .fetch_one(db)
    .await?;
    if has_room {
        Ok(())
    } else {
        Err(StoreError::Refused(Error::Conflict(Conflict::ClientIsFull)))
    }
}

/// Fails if there is no such role as one of these. In a transaction, they stay until it ends.
pub(super) async fn require_roles(db: &mut Session, roles: &[String]) -> Result<(), StoreError> {
    if roles.is_empty() {
        return Ok(());
    }
    let missing = sqlx::query_scalar!("SELECT sophra_api_keys.missing_role($1)", roles)
        .fetch_one(db)
        .await?;
    missing.map_or(Ok(()), |place| {
        Err(StoreError::Refused(Error::InvalidInput(vec![Issue {
            path: format!("roles[{}]", place - 1),
            message: "must be a role that was set before".to_owned(),
        }])))
    })
}

/// Writes every column that a change may set.
async fn write_key(
    db: &mut Session,
    key: &ApiKey,
    changes: &KeyChanges,
    actor: Option<&Actor>,
) -> sqlx::Result<()> {
    write_settings!(
        r#"UPDATE "ApiKey" SET ("#,
        r#", "suspendedUntil", "limiterEpoch", "previousKeyExpiresAt", "previousKey", "previousLookup",
            "previousSigningKey", "previousColdDigest", "wasActive") = ("#,
        r#",
            $18,
            "limiterEpoch" + $19::boolean::integer,
            $20,
            CASE WHEN $21 THEN NULL ELSE "previousKey" END,
            CASE WHEN $21 THEN NULL ELSE "previousLookup" END,
            CASE WHEN $21 THEN NULL ELSE "previousSigningKey" END,
            CASE WHEN $21 THEN NULL ELSE "previousColdDigest" END,
            CASE WHEN "revokedAt" IS NOT NULL THEN "wasActive" END
          )
        WHERE "id" = $1 AND sophra_api_keys.told($22)
        "#,
        key,
        key.suspended_until as _,
        changes.lift_suspension,
        key.previous_key_expires_at as _,
        changes.end_grace_period,
        actor.map(Actor::as_str),
    )
    .execute(db)
    .await?;
    Ok(())
}
