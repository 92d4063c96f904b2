//! Keys of which a replaced key was presented after its grace period: each is told once an hour, whichever process sees it.

use super::handle::Store;
use crate::error::Error;

impl Store {
    /// Claims the right to tell of these keys. Returns those of which nobody has told within an hour; `report` says that it is the
    /// same claim if it is repeated.
    pub async fn claim_reused_keys(
        &self,
        ids: &[String],
        report: &str,
    ) -> Result<Vec<String>, Error> {
        self.retryable("claim_reused_keys", || async {
            let mut db = self.db().await?;
            let claimed = sqlx::query_scalar!(
                r#"
                INSERT INTO sophra_api_keys.reused_keys AS known (key_id, report)
                SELECT id, $2 FROM unnest($1::text[]) AS id ORDER BY id
                ON CONFLICT (key_id) DO UPDATE SET told_at = now(), report = excluded.report
                WHERE known.told_at <= now() - interval '1 hour' OR known.report = excluded.report
                RETURNING key_id
                "#,
                ids,
                report,
            )
            .fetch_all(&mut db)
            .await;
            db.settle(claimed).await
        })
        .await
    }
}
