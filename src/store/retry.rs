//! How an operation runs: within its deadline, and repeated where that is safe.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use rand::RngExt;
use sqlx::SqlStr;
use tokio::sync::SemaphorePermit;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::connection::error::{self, Statement, StoreError};
use super::connection::{DEMOTED, Session, Share, UNANSWERED};
use super::handle::Store;
use crate::error::{Error, Origin};

/// One try of a statement. Its answer goes to an [`Answer`], so that what runs the tries is compiled once and not for every
/// statement.
type Attempt<'a> = BoxFuture<'a, Result<(), StoreError>>;
type Attempts<'a> = dyn Fn() -> Attempt<'a> + Send + Sync + 'a;

/// The answer of the try that succeeded.
struct Answer<T>(Mutex<Option<T>>);

impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Send> Answer<T> {
    fn set(&self, result: Result<T, StoreError>) -> Result<(), StoreError> {
        *self.0.lock() = Some(result?);
        Ok(())
    }

    fn get(&self) -> Result<T, Error> {
        let answer = self.0.lock().take();
        answer.ok_or_else(|| Error::internal("The database returned an unexpected response"))
    }

    fn attempts<'a, F>(
        &'a self,
        work: &'a (impl Fn() -> F + Send + Sync),
    ) -> impl Fn() -> Attempt<'a> + Send + Sync
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'a,
    {
        move || Box::pin(async { self.set(work().await) })
    }
}

impl Store {
    /// A connection for single statements.
    pub(super) async fn db(&self) -> Result<Session, StoreError> {
        if self.pooled.is_some() {
            return self.begin().await;
        }
        Ok(Session::on_connection(self.pool.acquire().await?, true))
    }

    /// A transaction for statements that belong together.
    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        let transaction = self.pool.begin(self.pooled.clone()).await?;
        Ok(Session::in_transaction(transaction, self.pooled.is_none()))
    }

    /// A transaction that begins with this statement.
    pub(super) async fn begin_with(&self, statement: SqlStr) -> Result<Session, StoreError> {
        let transaction = self.pool.begin(Some(statement)).await?;
        Ok(Session::in_transaction(transaction, self.pooled.is_none()))
    }

    /// A transaction for a change of rows that other sessions may have locked: it does not wait for a lock for long.
    pub(super) async fn begin_change(&self) -> Result<Session, StoreError> {
        self.begin_with(self.change.clone()).await
    }

    /// Runs a statement that may be repeated. On a connection that has died it is repeated on another at once; other
    /// transient faults are retried with exponential backoff and full jitter. There are at most three tries, and one
    /// deadline for all of them.
    #[track_caller]
    pub(super) fn retryable<'a, T, F>(
        &'a self,
        name: &'static str,
        work: impl Fn() -> F + Send + Sync + 'a,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let statement = Statement::named(name);
        self.repeated(statement, None, work)
    }

    /// Like [`retryable`](Self::retryable), after waiting for an admission permit.
    #[track_caller]
    pub(super) fn retryable_when_admitted<'a, T, F>(
        &'a self,
        share: Share,
        name: &'static str,
        work: impl Fn() -> F + Send + Sync + 'a,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let statement = Statement::named(name);
        self.repeated(statement, Some(share), work)
    }

    /// Runs a change of a row, which must not take effect twice, in a transaction of [`begin_change`](Self::begin_change).
    /// Changes of the same row take turns, and wait without a connection. If another session has locked the row, nothing
    /// has taken effect, and the change is tried again.
    #[track_caller]
    pub(super) fn change<'a, T, F>(
        &'a self,
        name: &'static str,
        id: &'a str,
        work: impl Fn() -> F + Send + Sync + 'a,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let statement = Statement::named(name);
        async move {
            let answer = Answer::default();
            let attempts = answer.attempts(&work);
            self.run_change(statement, id, &attempts).await?;
            answer.get()
        }
    }

    pub(super) async fn repeated<T, F>(
        &self,
        statement: Statement,
        share: Option<Share>,
        work: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let answer = Answer::default();
        let attempts = answer.attempts(&work);
        self.run_retryable(statement, share, &attempts).await?;
        answer.get()
    }

    async fn run_retryable(
        &self,
        statement: Statement,
        share: Option<Share>,
        attempts: &Attempts<'_>,
    ) -> Result<(), Error> {
        const TRIES: u32 = 3;
        const FIRST_BACKOFF: Duration = Duration::from_millis(50);
        let end = self.end();
        let _permit = match share {
            Some(share) => Some(self.admit(share, end).await?),
            None => None,
        };
        let mut attempt = 1;
        let mut was_broken = false;
        loop {
            let (answers, generation) = (self.circuit.enter()?, self.pool.generation());
            let result = timeout_at(end, attempts()).await;
            if let Ok(Err(error)) = &result
                && error.is_broken()
                && !was_broken
            {
                // It may have died while it was idle: the same again on a new one.
                was_broken = true;
                self.retries.fetch_add(1, Ordering::Relaxed);
                self.pool.replace_generation(generation);
                continue;
            }
            let is_last = attempt == TRIES || Instant::now() >= end;
            let is_transient = matches!(&result, Ok(Err(error)) if error.is_transient());
            if is_last || !is_transient {
                self.note(&result, answers);
                return outcome(result, statement);
            }
            self.retries.fetch_add(1, Ordering::Relaxed);
            let ceiling = FIRST_BACKOFF * 2_u32.pow(attempt);
            let pause = rand::rng().random_range(Duration::ZERO..ceiling);
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn run_change(
        &self,
        statement: Statement,
        id: &str,
        attempts: &Attempts<'_>,
    ) -> Result<(), Error> {
        let end = self.end();
        // A try needs at least the time for which it waits for a lock, so that a lock never looks like an outage.
        let last_try = end - self.deadline / 4;
        let Some(_turn) = self.turns.take(id, last_try).await else {
            return Err(error::locked());
        };
        let mut locked = None;
        loop {
            let _permit = match (self.admit(Share::Manage, end).await, locked) {
                (Ok(permit), _) => permit,
                (Err(_), Some(error)) => return outcome(Ok(Err(error)), statement),
                (Err(error), None) => return Err(error),
            };
            let answers = self.circuit.enter()?;
            let result = timeout_at(end, attempts()).await;
            self.note(&result, answers);
            match result {
                Ok(Err(error)) if error.is_lock_timeout() && Instant::now() < last_try => {
                    locked = Some(error);
                }
                result => return outcome(result, statement),
            }
        }
    }

    /// Waits for a permit, but leaves enough of the time for the statement.
    pub(super) async fn admit(
        &self,
        share: Share,
        end: Instant,
    ) -> Result<SemaphorePermit<'_>, Error> {
        let left = match share {
            Share::Lookup | Share::Legacy | Share::Verify => self.deadline / 2,
            Share::Manage => self.deadline / 4,
        };
        let admission = self.shares.of_kind(share);
        admission.admit(&self.circuit, end - left).await
    }

    /// Updates the circuit and the pool with the outcome of an operation.
    fn note<T>(&self, result: &Result<Result<T, StoreError>, Elapsed>, answers_before: u64) {
        match result {
            Ok(Err(error)) if error.is_demoted() => self.pool.replace_if_older_than(DEMOTED),
            Ok(Err(error)) if error.is_no_answer() => self.circuit.not_answered(answers_before),
            Ok(_) => self.circuit.answered(),
            Err(_) => {
                self.circuit.not_answered(answers_before);
                self.pool.replace_if_older_than(UNANSWERED);
            }
        }
    }

    pub(super) fn end(&self) -> Instant {
        Instant::now() + self.deadline
    }
}

fn outcome<T>(
    result: Result<Result<T, StoreError>, Elapsed>,
    statement: Statement,
) -> Result<T, Error> {
    match result {
        Ok(result) => result.map_err(|error| error.into_fault(statement)),
        Err(elapsed) => {
            let Statement { name, location } = statement;
            Err(error::timed_out().caused_by(Origin::statement(location, name, None, elapsed)))
        }
    }
}
