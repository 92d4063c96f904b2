//! The advisory lock that lets one session migrate at a time.

use std::time::{Duration, Instant};

use sqlx::PgConnection;

/// The lock that a migration holds: "sophra" in ASCII.
pub(super) const LOCK: i64 = 0x736f_7068_7261;
/// The time that a migration waits for another one, and for which it tries again to lock a table.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// The session that holds the lock.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Holder {
    pub(super) pid: i32,
    pub(super) role: Option<String>,
    pub(super) application_name: Option<String>,
    /// When it connected. Only a role with the privileges of `pg_read_all_stats` sees this for other roles.
    pub(super) connected_at: Option<String>,
}

/// The outcome of waiting for the lock.
pub(super) enum Waited {
    Locked,
    /// Another session still holds it, unless it has just released it.
    Busy(Option<Holder>),
}

/// Waits for the lock by polling. A session that waited inside the server would hold a snapshot, and a concurrent index
/// build by the session that holds the lock would wait for that snapshot forever. `on_wait` is told once whom it waits for.
pub(super) async fn lock(
    connection: &mut PgConnection,
    end: Instant,
    on_wait: impl FnOnce(&Holder),
) -> sqlx::Result<Waited> {
    let mut on_wait = Some(on_wait);
    loop {
        let taken: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .persistent(false)
            .fetch_one(&mut *connection)
            .await?;
        if taken {
            return Ok(Waited::Locked);
        }
        if Instant::now() > end {
            return Ok(Waited::Busy(holder(connection).await?));
        }
        if on_wait.is_some()
            && let Some(holder) = holder(connection).await?
            && let Some(on_wait) = on_wait.take()
        {
            on_wait(&holder);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The session that holds the lock, unless it has just released it.
async fn holder(connection: &mut PgConnection) -> sqlx::Result<Option<Holder>> {
    sqlx::query_as(
        r#"
        SELECT
          activity.pid,
          activity.usename::text AS role,
          activity.application_name,
          to_char(activity.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS connected_at
        FROM pg_locks AS held
        JOIN pg_stat_activity AS activity ON activity.pid = held.pid
        WHERE held.locktype = 'advisory'
          AND held.granted
          AND held.objsubid = 1
          AND (held.classid::bigint << 32) | held.objid::bigint = $1
          AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        "#,
    )
    .bind(LOCK)
    .persistent(false)
    .fetch_optional(connection)
    .await
}
