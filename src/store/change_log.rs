//! The change log: what has changed since a snapshot.

use super::connection::error::StoreError;
use super::handle::Store;
use crate::error::Error;

/// Changes listed individually in one read; more are reported as a change of all keys. This bounds how long a read
/// takes.
const CHANGES_MAX: i64 = 10_000;

/// The result of one read of the change log.
#[derive(Debug, Clone)]
pub struct LogRead {
    /// The keys that have changed since the previous snapshot; a key may occur several times.
    pub changed: ChangedRows,
    pub position: LogPosition,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangedRows {
    Some(Vec<String>),
    All,
}

impl From<Vec<Option<String>>> for ChangedRows {
    /// An entry without a key (TRUNCATE) stands for all keys.
    fn from(entries: Vec<Option<String>>) -> Self {
        if i64::try_from(entries.len()).is_ok_and(|count| count > CHANGES_MAX) {
            return Self::All;
        }
        entries
            .into_iter()
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
    /// The server, its start and its timeline: another server, or a restored one, may use the same transaction ids
    /// again.
    pub server: String,
}

impl Store {
    /// Reads the changes since the position. Positions are snapshots, so a transaction that commits late is not missed.
    pub async fn read_changes(&self, since: Option<&LogPosition>) -> Result<LogRead, Error> {
        let since = since.map(|position| position.snapshot.as_str());
        let row = self
            .retryable("read_changes", || async {
                sqlx::query!(
                    r#"
                    SELECT
                      pg_current_snapshot()::text AS "snapshot!",
                      pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS "oldest_open!",
                      pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS "next!",
                      concat_ws(
                        '/',
                        (SELECT system_identifier FROM pg_control_system()),
                        pg_postmaster_start_time(),
                        CASE WHEN pg_is_in_recovery() THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
                      ) AS "server!",
                      ARRAY(
                        SELECT key_id
                        FROM sophra_api_keys.changes
                        WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot)
                          AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
                        LIMIT $2
                      ) AS "changed!: Vec<Option<String>>"
                    "#,
                    since,
                    CHANGES_MAX + 1,
                )
                .fetch_one(&mut self.db().await?)
                .await
                .map_err(StoreError::from)
            })
            .await?;
        Ok(LogRead {
            changed: row.changed.into(),
            position: LogPosition {
                snapshot: row.snapshot,
                oldest_open: row.oldest_open,
                next: row.next,
                server: row.server,
            },
        })
    }

    /// Deletes the changes of transactions before this one.
    pub async fn prune_changes(&self, before: i64) -> Result<(), Error> {
        self.retryable("prune_changes", || async {
            let mut db = self.db().await?;
            sqlx::query!(
                "DELETE FROM sophra_api_keys.changes WHERE xid < $1::bigint::text::xid8",
                before
            )
            .execute(&mut db)
            .await?;
            db.commit().await
        })
        .await
    }
}
