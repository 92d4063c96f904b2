//! The change log: what has changed since a snapshot.

use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;
use crate::model::Timestamp;

/// Changes listed individually in one read; more are reported as a change of all keys. This bounds how long a read
/// takes.
pub(super) const CHANGES_MAX: i64 = 10_000;

/// Changes deleted by one statement, so that none takes too long, however many there are.
const PRUNED_MAX: i64 = 10_000;

/// The query that reads the log, with other columns before its own. Its own arguments are the first two.
macro_rules! log_query {
    ($select:literal, $since:expr $(, $argument:expr)* $(,)?) => {
        sqlx::query!(
            $select
                + r#"
                  pg_current_snapshot()::text AS "snapshot!",
                  pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest_open!",
                  pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS "next!",
                  concat_ws(
                    '/',
                    log.id,
                    system_identifier,
                    pg_postmaster_start_time(),
                    CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
                    (SELECT oid FROM pg_database WHERE datname = current_database()),
                    to_regclass('"ApiKey"')::oid,
                    pg_relation_filenode(to_regclass('"ApiKey"')),
                    to_regclass('"AdminToken"')::oid,
                    pg_relation_filenode(to_regclass('"AdminToken"')),
                    pg_relation_filenode('sophra_api_keys.clients'),
                    pg_relation_filenode('sophra_api_keys.roles'),
                    pg_relation_filenode('sophra_api_keys.changes')
                  ) AS "source!",
                  log.id AS "log?",
                  pruned_before::text::bigint AS "pruned_before?",
                  (
                    system IS DISTINCT FROM system_identifier
                    OR pruned_before > pg_snapshot_xmax(pg_current_snapshot())
                  ) AS "is_foreign!",
                  (clock_timestamp() AT TIME ZONE 'UTC') AS "now!: Timestamp",
                  changed.keys AS "changed_keys!: Vec<Option<String>>",
                  changed.clients AS "changed_clients!: Vec<Option<String>>",
                  changed.roles AS "changed_roles!: Vec<Option<String>>"
                FROM pg_control_system()
                LEFT JOIN sophra_api_keys.change_log AS log ON true
                CROSS JOIN LATERAL (
                  -- If they are too many, each stands for all.
                  SELECT
                    coalesce(array_agg(changed_id), '{}') AS keys,
                    coalesce(array_agg(CASE WHEN are_few THEN client_id END), '{}') AS clients,
                    coalesce(array_agg(CASE WHEN are_few THEN role END), '{}') AS roles
                  FROM (
                    SELECT
                      count(*) OVER () < $2 AND sum(coalesce(cardinality(key_ids), 1)) OVER () <= 150000 AS are_few,
                      key_id, client_id, role, key_ids
                    FROM (
                      SELECT key_id, client_id, role, key_ids
                      FROM sophra_api_keys.changes
                      WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
                        AND xid < pg_snapshot_xmax(pg_current_snapshot())
                        AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
                      LIMIT $2
                    ) AS listed
                  ) AS change
                  CROSS JOIN LATERAL unnest(
                    CASE WHEN are_few THEN coalesce(key_ids, ARRAY[key_id]) ELSE ARRAY[NULL] END
                  ) AS row (changed_id)
                ) AS changed
                "#,
            $since,
            crate::store::change_log::CHANGES_MAX + 1,
            $($argument),*
        )
    };
}
pub(super) use log_query;

/// The read of the log in a row of [`log_query`].
macro_rules! log_read {
    ($row:expr) => {
        crate::store::change_log::LogRead {
            changed: crate::store::change_log::ChangedRows::logged(
                $row.changed_keys,
                $row.changed_clients,
                $row.changed_roles,
            ),
            position: crate::store::change_log::LogPosition {
                snapshot: $row.snapshot,
                oldest_open: $row.oldest_open,
                next: $row.next,
                source: $row.source,
            },
            pruned_before: $row.pruned_before,
            log: $row.log,
            is_foreign: $row.is_foreign,
            now: $row.now,
        }
    };
}
pub(super) use log_read;

/// The result of one read of the change log.
#[derive(Debug, Clone)]
pub struct LogRead {
    /// What has changed since the previous snapshot; a row may occur several times.
    pub(super) changed: ChangedRows,
    pub position: LogPosition,
    /// Changes by earlier transactions may have been pruned.
    pub(super) pruned_before: Option<i64>,
    /// The id of the log, by which a probe is logged.
    pub log: Option<String>,
    /// Whether the log comes from another server, so that its transaction ids mean nothing on this one.
    pub is_foreign: bool,
    /// The server's clock.
    pub now: Timestamp,
}

impl LogRead {
    /// What has changed since the position from which the log was read: everything, if the log does not hold all changes
    /// since then. It does not on another server, in an older state, or if it was pruned past the position. No clock is
    /// asked, because the clocks of a process stand still while its machine is suspended.
    #[must_use]
    pub fn changed_since(self, position: &LogPosition) -> ChangedRows {
        let is_complete = self.position.source == position.source
            && self.position.next >= position.next
            && self
                .pruned_before
                .is_some_and(|pruned| pruned <= position.oldest_open);
        if is_complete {
            self.changed
        } else {
            ChangedRows::All
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedRows {
    Some(Vec<ChangedRow>),
    All,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedRow {
    /// The id of a key or an admin token.
    Key(String),
    Client(String),
    Role(String),
}

impl ChangedRows {
    /// The changes of the log, each of a key, a client or a role. One of none of them (TRUNCATE) stands for all.
    pub(super) fn logged(
        keys: Vec<Option<String>>,
        clients: Vec<Option<String>>,
        roles: Vec<Option<String>>,
    ) -> Self {
        keys.into_iter()
            .zip(clients)
            .zip(roles)
            .map(|((key, client), role)| {
                let of_key = key.map(ChangedRow::Key);
                let of_client = || client.map(ChangedRow::Client);
                of_key
                    .or_else(of_client)
                    .or_else(|| role.map(ChangedRow::Role))
            })
            .collect::<Option<_>>()
            .map_or(Self::All, Self::Some)
    }
}

/// The position up to which the log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPosition {
    /// The transactions that were visible (`pg_snapshot`).
    pub snapshot: String,
    /// The oldest transaction that had not finished: every later snapshot sees all transactions before it.
    pub oldest_open: i64,
    /// The first transaction id that was not yet assigned.
    pub next: i64,
    /// The log, the server with its start and timeline, the database, and the files of the tables: another server, or a
    /// restored one, may use the same transaction ids again, and a table that was replaced brings other rows.
    pub source: String,
}

impl Store {
    /// Reads the changes since the position. Positions are snapshots, so a transaction that commits late is not missed.
    pub async fn read_changes(&self, since: Option<&LogPosition>) -> Result<LogRead, Error> {
        let since = since.map(|position| position.snapshot.as_str());
        let row = self
            .retryable("read_changes", || async {
                // A visible row with an id that is yet to be assigned comes from another server.
                log_query!("SELECT ", since)
                    .fetch_one(&mut self.db().await?)
                    .await
                    .map_err(StoreError::from)
            })
            .await?;
        Ok(log_read!(row))
    }

    /// Begins the log anew if it is new, or comes from another server. Every position in the old one is void.
    pub async fn begin_change_log(&self) -> Result<(), Error> {
        self.retryable("begin_change_log", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                "
                INSERT INTO sophra_api_keys.change_log AS log (system, pruned_before)
                SELECT system_identifier, pg_snapshot_xmin(pg_current_snapshot()) FROM pg_control_system()
                ON CONFLICT (one) DO UPDATE
                SET id = EXCLUDED.id, system = EXCLUDED.system, pruned_before = EXCLUDED.pruned_before
                WHERE log.system <> EXCLUDED.system
                  OR log.pruned_before > pg_snapshot_xmax(pg_current_snapshot())
                "
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }

    /// Makes a change that triggers log, to see whether it arrives.
    pub async fn probe_change_log(&self) -> Result<(), Error> {
        self.retryable("probe_change_log", || async {
            let mut db = self.db().await?;
            sqlx::query!("UPDATE sophra_api_keys.change_log SET probed_at = now()")
                .execute(&mut db)
                .await?;
            db.commit().await
        })
        .await
    }

    /// Deletes changes by transactions before this one, and those from another server, up to a number. Returns whether
    /// any may be left. If another process is pruning, it is left to that one.
    pub async fn prune_changes(&self, before: i64) -> Result<bool, Error> {
        self.retryable("prune_changes", || async {
            let mut db = self.db().await?;
            // The statement that deletes also says how far: no reader can see one without the other.
            let pruned = sqlx::query_scalar!(
                r#"
                WITH log AS MATERIALIZED (
                  SELECT one FROM sophra_api_keys.change_log FOR UPDATE SKIP LOCKED
                ),
                pruned AS (
                  DELETE FROM sophra_api_keys.changes
                  WHERE EXISTS (SELECT FROM log) AND ctid = ANY (ARRAY(
                    (
                      SELECT ctid FROM sophra_api_keys.changes
                      WHERE xid < $1::bigint::text::xid8
                      ORDER BY xid LIMIT $2
                    )
                    UNION ALL
                    (
                      SELECT ctid FROM sophra_api_keys.changes
                      WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())
                      ORDER BY xid LIMIT $2
                    )
                  ))
                  RETURNING key_id
                )
                UPDATE sophra_api_keys.change_log
                SET pruned_before = greatest(pruned_before, $1::bigint::text::xid8)
                WHERE EXISTS (SELECT FROM pruned)
                RETURNING (SELECT count(*) FROM pruned) AS "pruned!"
                "#,
                before,
                PRUNED_MAX,
            )
            .fetch_optional(&mut db)
            .await?;
            db.commit().await?;
            Ok(pruned.is_some_and(|count| count >= PRUNED_MAX))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
