//! How an operation runs: within its deadline, and repeated where that is safe.

use std::future::Future;
use std::panic::Location;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::SemaphorePermit;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::connection::error::{self, Statement, StoreError};
use super::connection::{DEMOTED, Session, Share, UNANSWERED};
use super::handle::Store;
use crate::error::{Error, Origin};

impl Store {
    /// A connection for single statements.
    pub(super) async fn db(&self) -> Result<Session, StoreError> {
        if self.pooled.is_some() {
            return self.begin().await;
        }
        Ok(Session::on_connection(self.pool.acquire().await?))
    }

    /// A transaction for statements that belong together.
    pub(super) async fn begin(&self) -> Result<Session, StoreError> {
        let transaction = self.pool.begin(self.pooled.clone()).await?;
        Ok(Session::in_transaction(transaction, self.pooled.is_none()))
    }

    /// A transaction for a change of rows that other sessions may have locked: it does not wait for a lock for long.
    pub(super) async fn begin_change(&self) -> Result<Session, StoreError> {
        let transaction = self.pool.begin(Some(self.change.clone())).await?;
        Ok(Session::in_transaction(transaction, self.pooled.is_none()))
    }

    /// Like [`once`](Self::once), after waiting for an admission permit.
    #[track_caller]
    pub(super) fn once_when_admitted<'a, T, F>(
        &'a self,
        share: Share,
        name: &'static str,
        work: impl FnOnce() -> F + Send + 'a,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let location = Location::caller();
        let statement = Statement { name, location };
        async move {
            let end = self.end();
            let _permit = self.admit(share, end).await?;
            Box::pin(self.once_until(statement, end, work)).await
        }
    }

    /// Waits for a permit, but leaves enough of the time for the statement.
    async fn admit(&self, share: Share, end: Instant) -> Result<SemaphorePermit<'_>, Error> {
        let left = match share {
            Share::Verify | Share::Legacy => self.deadline / 2,
            Share::Manage => self.deadline / 4,
        };
        let admission = self.shares.of_kind(share);
        admission.admit(&self.circuit, end - left).await
    }

    /// Runs a statement that must not take effect twice.
    #[track_caller]
    pub(super) fn once<'a, T, F>(
        &'a self,
        name: &'static str,
        work: impl FnOnce() -> F + Send + 'a,
    ) -> impl Future<Output = Result<T, Error>> + Send
    where
        T: Send,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let location = Location::caller();
        self.once_until(Statement { name, location }, self.end(), work)
    }

    async fn once_until<T, F>(
        &self,
        statement: Statement,
        end: Instant,
        work: impl FnOnce() -> F + Send,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let answers = self.circuit.enter()?;
        let result = timeout_at(end, work()).await;
        self.note(&result, answers);
        outcome(result, statement)
    }

    /// Runs a statement that may be repeated: transient faults are retried with exponential backoff and full jitter, at
    /// most three times and within one deadline.
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
        let location = Location::caller();
        self.retryable_until(Statement { name, location }, self.end(), work)
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
        let location = Location::caller();
        let statement = Statement { name, location };
        async move {
            let end = self.end();
            let _permit = self.admit(share, end).await?;
            // Boxed, so that a caller that waits for a permit does not hold the memory of a statement.
            Box::pin(self.retryable_until(statement, end, work)).await
        }
    }

    async fn retryable_until<T, F>(
        &self,
        statement: Statement,
        end: Instant,
        work: impl Fn() -> F + Send + Sync,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        const TRIES: u32 = 3;
        const FIRST_BACKOFF: Duration = Duration::from_millis(50);
        let mut attempt = 1;
        loop {
            let answers = self.circuit.enter()?;
            let result = timeout_at(end, work()).await;
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

    fn end(&self) -> Instant {
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
