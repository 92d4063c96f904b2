//! The keys that were used most recently.

use super::candidate::{Candidate, Wanted, find_candidates};
use super::connection::Share;
use super::handle::Store;
use super::long::long;
use crate::error::Error;

impl Store {
    /// The lookups of the keys that were used most recently, the latest first. Only those with a digest that begins with one
    /// of these ids, of 8 bytes, since only their rows can be of use before anybody presents the key.
    pub async fn recently_used(
        &self,
        limit: usize,
        peppers: &[Vec<u8>],
    ) -> Result<Vec<String>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // Ordering by the last use reads the whole table.
        long("recently_used", async {
            let mut db = self.begin_long().await?;
            let lookups = sqlx::query_scalar!(
                r#"
                SELECT "lookup" AS "lookup!" FROM "ApiKey"
                WHERE "lookup" IS NOT NULL AND "lastUsedAt" IS NOT NULL AND substr("coldDigest", 1, 8) = ANY($2)
                ORDER BY "lastUsedAt" DESC
                LIMIT $1
                "#,
                limit,
                peppers,
            )
            .fetch_all(&mut db)
            .await?;
            db.commit().await?;
            Ok(lookups)
        })
        .await
    }

    /// The rows with these lookups, in the same order. A row that cannot be read counts as none.
    pub async fn find_rows(&self, lookups: &[String]) -> Result<Vec<Option<Candidate>>, Error> {
        self.retryable_when_admitted(Share::Manage, "find_rows", || async {
            let wanted: Vec<Wanted> = lookups
                .iter()
                .map(|lookup| Wanted::issued(lookup))
                .collect();
            let wanted: Vec<&Wanted> = wanted.iter().collect();
            let found = find_candidates(&mut self.db().await?, &wanted).await?;
            Ok(found
                .into_iter()
                .map(|found| found.ok().flatten())
                .collect())
        })
        .await
    }
}
