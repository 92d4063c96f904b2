//! Suspensions: one statement for many keys, with an outcome for each.

use std::sync::atomic::{AtomicBool, Ordering};

use super::handle::Store;
use crate::error::Error;
use crate::model::Timestamp;

/// A suspension to be stored.
#[derive(Debug)]
pub struct Suspension {
    pub key_id: String,
    /// The reset generation of the rule that was broken: a later generation cancels the suspension.
    pub reset_generation: i32,
    pub until: Timestamp,
    /// The suspension that the row had when this one began. It had ended, even if it seems to last by the clock as it is
    /// now.
    pub ended: Option<Timestamp>,
    /// It was sent before, and whether it was stored is unknown.
    pub sent: bool,
}

/// The outcome of storing suspensions. Keys in neither list were suspended already, reset or deleted.
#[derive(Debug)]
pub struct SuspensionOutcome {
    /// Keys suspended by this process.
    pub stored: Vec<String>,
    /// Keys whose rows were locked: the statement does not wait for locks.
    pub locked: Vec<String>,
}

impl Store {
    /// Suspends the keys that are not suspended yet and have not been reset since.
    pub async fn suspend_keys(
        &self,
        suspensions: &[Suspension],
        now: Timestamp,
    ) -> Result<SuspensionOutcome, Error> {
        let ids: Vec<_> = suspensions.iter().map(|s| s.key_id.clone()).collect();
        let untils: Vec<_> = suspensions.iter().map(|s| s.until).collect();
        let ended: Vec<_> = suspensions.iter().map(|s| s.ended).collect();
        let epochs: Vec<_> = suspensions.iter().map(|s| s.reset_generation).collect();
        let tried = AtomicBool::new(false);
        self.retryable("suspend_keys", || async {
            // The previous attempt may have been stored although its answer was lost.
            let again = tried.swap(true, Ordering::Relaxed);
            let sent: Vec<_> = suspensions.iter().map(|s| s.sent || again).collect();
            let mut db = self.db().await?;
            let done = sqlx::query_as!(
                SuspensionOutcome,
                r#"
                WITH
                  wanted AS MATERIALIZED (
                    SELECT id, until, epoch, sent, ended
                    FROM unnest($1::text[], $2::timestamp[], $3::integer[], $4::boolean[], $6::timestamp[])
                      AS listed (id, until, epoch, sent, ended)
                  ),
                  free AS MATERIALIZED (
                    SELECT key."id" FROM "ApiKey" AS key
                    WHERE key."id" = ANY($1)
                    ORDER BY key."id"
                    FOR NO KEY UPDATE SKIP LOCKED
                  ),
                  stored AS (
                    UPDATE "ApiKey" AS key SET "suspendedUntil" = wanted.until
                    FROM wanted JOIN free ON free."id" = wanted.id
                    WHERE key."id" = wanted.id
                      AND key."limiterEpoch" = wanted.epoch
                      AND (
                        key."suspendedUntil" IS NULL
                        OR key."suspendedUntil" <= $5
                        OR key."suspendedUntil" = wanted.ended
                        OR (wanted.sent AND key."suspendedUntil" = wanted.until)
                      )
                    RETURNING key."id"
                  )
                SELECT
                  ARRAY(SELECT "id" FROM stored) AS "stored!",
                  ARRAY(
                    SELECT "id" FROM "ApiKey"
                    WHERE "id" = ANY($1) AND "id" NOT IN (SELECT "id" FROM free)
                  ) AS "locked!"
                "#,
                &ids,
                &untils as _,
                &epochs,
                &sent,
                now as _,
                &ended as _,
            )
            .fetch_one(&mut db)
            .await;
            let done = db.settle(done).await?;
            Ok(done)
        })
        .await
    }
}
