//! A connection for one operation, and how it runs: in time, and again where that is safe.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use rand::RngExt;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, PgConnection, Postgres, SqlStr, Transaction};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::Store;
use super::fault::{self, is_transient};
use super::pool;
use crate::error::Error;

/// A connection, or a transaction on one. Behind a pooler in transaction mode two statements outside of a
/// transaction may reach two servers, and so may the parts of one: there every operation is a transaction, and
/// its statements have no names.
#[derive(Debug)]
pub(super) struct Db {
    held: Held,
    named: bool,
}

#[derive(Debug)]
enum Held {
    Connection(PoolConnection<Postgres>),
    Transaction(Transaction<'static, Postgres>),
}

impl Db {
    /// Must follow every write; without it a transaction rolls back.
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self.held {
            Held::Connection(_) => Ok(()),
            Held::Transaction(transaction) => transaction.commit().await,
        }
    }

    pub(super) fn connection(&mut self) -> &mut PgConnection {
        match &mut self.held {
            Held::Connection(connection) => connection,
            Held::Transaction(transaction) => transaction,
        }
    }
}

/// A query that keeps no named statement on the server.
struct Unnamed<E>(E);

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Unnamed<E> {
    fn sql(self) -> SqlStr {
        self.0.sql()
    }
    fn statement(&self) -> Option<&PgStatement> {
        self.0.statement()
    }
    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.0.take_arguments()
    }
    fn persistent(&self) -> bool {
        false
    }
}

impl<'c> Executor<'c> for &'c mut Db {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.named {
            self.connection().fetch_many(query)
        } else {
            self.connection().fetch_many(Unnamed(query))
        }
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        if self.named {
            self.connection().fetch_optional(query)
        } else {
            self.connection().fetch_optional(Unnamed(query))
        }
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        self.connection().prepare_with(sql, parameters)
    }

    #[doc(hidden)]
    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<sqlx::Describe<Postgres>>>
    where
        'c: 'e,
    {
        self.connection().describe(sql)
    }
}

impl Store {
    /// A connection for single statements.
    pub(super) async fn db(&self) -> sqlx::Result<Db> {
        if self.pooled.is_some() {
            return self.begin().await;
        }
        Ok(Db {
            held: Held::Connection(self.pool.acquire().await?),
            named: true,
        })
    }

    /// A transaction for statements that belong together.
    pub(super) async fn begin(&self) -> sqlx::Result<Db> {
        Ok(Db {
            held: Held::Transaction(self.pool.begin(self.pooled.clone()).await?),
            named: self.pooled.is_none(),
        })
    }

    /// Runs a statement that must not take effect twice.
    pub(super) async fn once<T, F>(&self, work: impl FnOnce() -> F + Send) -> Result<T, Error>
    where
        F: Future<Output = sqlx::Result<T>> + Send,
    {
        let answers = self.circuit.enter()?;
        let result = timeout_at(self.end(), work()).await;
        self.note(&result, answers);
        match result {
            Ok(result) => result.map_err(|error| fault::from(&error)),
            Err(_) => Err(fault::timed_out()),
        }
    }

    /// Runs a statement that may be repeated: after a transient fault it is, with exponential backoff and
    /// full jitter, at most three times and inside one deadline.
    pub(super) async fn repeatable<T, F>(
        &self,
        work: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = sqlx::Result<T>> + Send,
    {
        self.repeatable_until(self.end(), work).await
    }

    /// The same when its turn comes.
    pub(super) async fn repeatable_in_turn<T, F>(
        &self,
        work: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = sqlx::Result<T>> + Send,
    {
        let end = self.end();
        // Half of the time, so that a turn leaves enough for an answer.
        let _turn = self
            .turns
            .take(&self.circuit, end - self.deadline / 2)
            .await?;
        // In a box, so that who waits for a turn does not hold the memory of a statement.
        Box::pin(self.repeatable_until(end, work)).await
    }

    async fn repeatable_until<T, F>(
        &self,
        end: Instant,
        work: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = sqlx::Result<T>> + Send,
    {
        const TRIES: u32 = 3;
        const FIRST_BACKOFF: Duration = Duration::from_millis(50);
        for attempt in 1..=TRIES {
            let answers = self.circuit.enter()?;
            let result = timeout_at(end, work()).await;
            let is_last = attempt == TRIES || Instant::now() >= end;
            match result {
                Ok(Err(error)) if !is_last && is_transient(&error) => {
                    self.retries.fetch_add(1, Ordering::Relaxed);
                    let ceiling = FIRST_BACKOFF * 2_u32.pow(attempt);
                    let pause = rand::rng().random_range(Duration::ZERO..ceiling);
                    tokio::time::sleep(pause).await;
                    continue;
                }
                _ => self.note(&result, answers),
            }
            return match result {
                Ok(result) => result.map_err(|error| fault::from(&error)),
                Err(_) => Err(fault::timed_out()),
            };
        }
        Err(fault::timed_out())
    }

    /// What an operation showed of the database.
    fn note<T>(&self, result: &Result<sqlx::Result<T>, Elapsed>, answers_before: u64) {
        match result {
            Ok(Err(error)) if fault::is_demoted(error) => self.pool.distrust(pool::DEMOTED),
            Ok(Err(error)) if fault::is_no_answer(error) => {
                self.circuit.not_answered(answers_before);
            }
            Ok(_) => self.circuit.answered(),
            Err(_) => {
                self.circuit.not_answered(answers_before);
                self.pool.distrust(pool::UNANSWERED);
            }
        }
    }
    fn end(&self) -> Instant {
        Instant::now() + self.deadline
    }
}
