//! Work that may take longer than other statements, beside all other work.

use std::time::Duration;

use sqlx::{AssertSqlSafe, SqlSafeStr};
use tokio::time::timeout;

use super::connection::Session;
use super::connection::error::{Statement, StoreError, timed_out};
use super::handle::{BEGIN, Store};
use crate::error::Error;

const DEADLINE: Duration = Duration::from_secs(60);

/// Runs work in a transaction of [`Store::begin_long`]. It is not repeated.
#[track_caller]
pub(super) fn long<T: Send>(
    name: &'static str,
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> impl Future<Output = Result<T, Error>> + Send {
    let statement = Statement::named(name);
    async move {
        match timeout(DEADLINE, work).await {
            Ok(result) => result.map_err(|error| error.into_fault(statement)),
            Err(_) => Err(timed_out()),
        }
    }
}

impl Store {
    /// A transaction on a connection of its own, so that all other work goes on beside it, however small the pool is.
    pub(super) async fn begin_long(&self) -> Result<Session, StoreError> {
        let connection = self.pool.connect_apart().await?;
        let mut db = Session::apart(connection, self.pooled.is_none());
        let begin = self.pooled.as_ref().map_or(BEGIN, |begin| begin.as_str());
        let begin = format!(
            "{begin}; SET LOCAL statement_timeout = {}",
            DEADLINE.as_millis()
        );
        let begin = AssertSqlSafe(begin).into_sql_str();
        sqlx::raw_sql(begin).execute(db.connection()).await?;
        Ok(db)
    }
}
