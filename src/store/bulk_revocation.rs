//! Revocation of many keys.

use sqlx::types::Json;

use super::connection::Share;
use super::connection::error::StoreError;
use super::handle::Store;
use super::long::long;
use crate::error::{Conflict, Error};
use crate::model::{Actor, BulkRevocation, Timestamp};

/// The keys that a revocation is about.
#[derive(Debug)]
pub struct RevokedKeys {
    pub count: i64,
    /// Those that were revoked; none in a dry run.
    pub ids: Vec<String>,
}

impl Store {
    /// Revokes all keys of the filter that are not revoked, and writes their audit entries, in one transaction.
    pub async fn revoke_keys(
        &self,
        revocation: &BulkRevocation,
        actor: Option<&Actor>,
        now: Timestamp,
    ) -> Result<RevokedKeys, Error> {
        let expected = revocation.expected_count.map(i64::from);
        let _permit = self.admit(Share::Manage, self.end()).await?;
        long("revoke_keys", async {
            let mut db = self.begin_long().await?;
            let revoked = sqlx::query!(
                r#"
                SELECT count AS "count!", ids AS "ids: Vec<String>"
                FROM sophra_api_keys.revoke_keys($1::jsonb, $2, $3, $4, $5, $6, $7)
                "#,
                Json(&revocation.filter) as _,
                revocation.reason.name(),
                revocation.note,
                actor.map(Actor::as_str),
                now as _,
                expected,
                revocation.dry_run,
            )
            .fetch_one(&mut db)
            .await?;
            let count = revoked.count;
            // The transaction is rolled back.
            if expected.is_some_and(|expected| expected != count) {
                return Err(StoreError::Refused(Error::Conflict(Conflict::OtherCount {
                    count,
                })));
            }
            db.commit().await?;
            Ok(RevokedKeys {
                count,
                ids: revoked.ids.unwrap_or_default(),
            })
        })
        .await
    }
}
