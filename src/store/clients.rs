//! The rows of `sophra_api_keys.clients`: set, read, delete.

use super::connection::error::StoreError;
use super::connection::{Session, Share};
use super::handle::Store;
use crate::error::{Conflict, Error, Issue};
use crate::model::{Actor, Client, ClientChanges, Limits, Metadata, Quotas, Timestamp};

/// A query that returns rows of clients: `$head`, the columns of a [`Client`], `$tail`, which calls the table `client`.
///
/// As for keys, a row of another writer must not make a page unreadable, whatever its lists are like.
macro_rules! client_rows {
    ($head:literal, $tail:literal, $($argument:expr),* $(,)?) => {
        crate::store::clients::client_rows_with!(
            $head,
            r#"(SELECT count(*) FROM "ApiKey" WHERE "clientId" = client.client_id AND "revokedAt" IS NULL)"#,
            $tail,
            $($argument),*
        )
    };
}

/// The same with another number of keys, `$count`.
macro_rules! client_rows_with {
    ($head:literal, $count:literal, $tail:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Client,
            $head
            + r#"
                client.client_id,
                client.name,
                client.is_active,
                client.metadata AS "metadata: Metadata",
                ARRAY(SELECT coalesce(address, '') FROM unnest(client.allowed_ips) AS address) AS "allowed_ips!",
                client.limits AS "limits: Limits",
                client.quotas AS "quotas: Quotas",
                client.max_keys,
                client.parent_id,
                "#
            + $count
            + r#" AS "key_count!",
                client.created_at AS "created_at: Timestamp",
                client.updated_at AS "updated_at: Timestamp"
            "#
            + $tail,
            $($argument),*
        )
    };
}

pub(super) use client_rows;
pub(super) use client_rows_with;

/// The constraints on `parent_id`, of which the second is one of a trigger.
const PARENT_EXISTS: &str = "clients_parent_fkey";
const PARENT_LEVELS: &str = "clients_parent_levels";

/// A client before and after a change.
#[derive(Debug)]
pub struct ChangedClient {
    /// One with the defaults, if the client is new.
    pub before: Client,
    pub after: Client,
}

impl Store {
    /// Applies the changes to the row, or to the defaults if there is none, and stores the result.
    pub async fn set_client(
        &self,
        client_id: &str,
        changes: &ClientChanges,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<ChangedClient, Error> {
        let client = self.change("set_client", client_id, || async {
            let mut db = self.begin_change().await?;
            let client = write_client(&mut db, client_id, changes, actor, now)
                .await
                .map_err(|error| refused_parent(error.into()))?;
            db.commit().await?;
            Ok(client)
        });
        let mut client = client.await?;
        // Not while the row is locked: the largest client must be disabled as quickly as any other.
        client.after.key_count = self.count_keys(client_id).await?;
        Ok(client)
    }

    async fn count_keys(&self, client_id: &str) -> Result<i64, Error> {
        self.retryable_when_admitted(Share::Manage, "count_keys", || async {
            sqlx::query_scalar!(
                r#"SELECT count(*) AS "count!" FROM "ApiKey" WHERE "clientId" = $1 AND "revokedAt" IS NULL"#,
                client_id
            )
            .fetch_one(&mut self.db().await?)
            .await
            .map_err(StoreError::from)
        })
        .await
    }

    pub async fn get_client(&self, client_id: &str) -> Result<Option<Client>, Error> {
        self.retryable_when_admitted(Share::Manage, "get_client", || async {
            let mut db = self.db().await?;
            let row = client_rows!(
                "SELECT",
                "FROM sophra_api_keys.clients AS client WHERE client.client_id = $1",
                client_id,
            )
            .fetch_optional(&mut db)
            .await?;
            Ok(row)
        })
        .await
    }

    /// Returns whether the row existed. A repeat would have the same effect but return the wrong answer, so it is not
    /// retried.
    pub async fn delete_client(
        &self,
        client_id: &str,
        actor: Option<&Actor>,
    ) -> Result<bool, Error> {
        self.change("delete_client", client_id, || async {
            let mut db = self.begin_change().await?;
            let done = sqlx::query!(
                "DELETE FROM sophra_api_keys.clients WHERE client_id = $1 AND sophra_api_keys.told($2)",
                client_id,
                actor.map(Actor::as_str),
            )
            .execute(&mut db)
            .await
            .map_err(|error| refused_deletion(error.into()))?;
            db.commit().await?;
            Ok(done.rows_affected() > 0)
        })
        .await
    }
}

/// Changes or creates the row, whatever other sessions do meanwhile.
async fn write_client(
    db: &mut Session,
    client_id: &str,
    changes: &ClientChanges,
    actor: Option<&Actor>,
    now: Timestamp,
) -> sqlx::Result<ChangedClient> {
    loop {
        if let Some(before) = lock_client(db, client_id).await? {
            return change_client(db, before, changes, actor, now).await;
        }
        if let Some(created) = create_client(db, client_id, changes, actor, now).await? {
            return Ok(created);
        }
        // Another session has created it since: now there is a row to lock.
    }
}

/// Reads the row and locks it, in the weakest way that keeps other changes out: a stronger one would make a change of a
/// child, which checks that its parent exists, wait for this one while this one waits for the check of levels.
async fn lock_client(db: &mut Session, client_id: &str) -> sqlx::Result<Option<Client>> {
    client_rows_with!(
        "SELECT",
        "0::bigint",
        "FROM sophra_api_keys.clients AS client WHERE client.client_id = $1 FOR NO KEY UPDATE",
        client_id,
    )
    .fetch_optional(db)
    .await
}

async fn change_client(
    db: &mut Session,
    before: Client,
    changes: &ClientChanges,
    actor: Option<&Actor>,
    now: Timestamp,
) -> sqlx::Result<ChangedClient> {
    let mut after = before.clone();
    changes.apply(&mut after, now);
    sqlx::query!(
        r#"
        UPDATE sophra_api_keys.clients
        SET name = $2, is_active = $3, metadata = $4, allowed_ips = $5, max_keys = $6, parent_id = $7, updated_at = $8, limits = $9,
          quotas = $10
        WHERE client_id = $1 AND sophra_api_keys.told($11)
        "#,
        after.client_id,
        after.name,
        after.is_active,
        after.metadata as _,
        &after.allowed_ips,
        after.max_keys,
        after.parent_id,
        after.updated_at as _,
        &after.limits as _,
        &after.quotas as _,
        actor.map(Actor::as_str),
    )
    .execute(db)
    .await?;
    Ok(ChangedClient { before, after })
}

/// Creates the row; `None` if there is one.
async fn create_client(
    db: &mut Session,
    client_id: &str,
    changes: &ClientChanges,
    actor: Option<&Actor>,
    now: Timestamp,
) -> sqlx::Result<Option<ChangedClient>> {
    let before = Client::new(client_id.to_owned(), now);
    let mut after = before.clone();
    changes.apply(&mut after, now);
    let created = sqlx::query_scalar!(
        r#"
        INSERT INTO sophra_api_keys.clients
          (client_id, name, is_active, metadata, allowed_ips, max_keys, parent_id, created_at, updated_at, limits,
           quotas)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8::timestamp, $8, $9, $10
        WHERE sophra_api_keys.told($11)
        ON CONFLICT (client_id) DO NOTHING
        RETURNING client_id
        "#,
        after.client_id,
        after.name,
        after.is_active,
        after.metadata.as_ref() as _,
        &after.allowed_ips,
        after.max_keys,
        after.parent_id,
        after.created_at as _,
        &after.limits as _,
        &after.quotas as _,
        actor.map(Actor::as_str),
    )
    .fetch_optional(db)
    .await?;
    Ok(created.map(|_| ChangedClient { before, after }))
}

/// The fault of the caller, if the row was not written because of its parent.
fn refused_parent(error: StoreError) -> StoreError {
    let message = if error.violates(PARENT_EXISTS) {
        "must be a client that was set before"
    } else if error.violates(PARENT_LEVELS) {
        "must not lead to a circle, or to more than three levels of clients"
    } else {
        return error;
    };
    StoreError::Refused(Error::InvalidInput(vec![Issue {
        path: "parentId".to_owned(),
        message: message.to_owned(),
    }]))
}

/// The fault of the caller, if the row was not deleted because it is a parent.
fn refused_deletion(error: StoreError) -> StoreError {
    if error.violates(PARENT_EXISTS) {
        StoreError::Refused(Error::Conflict(Conflict::ClientIsParent))
    } else {
        error
    }
}
