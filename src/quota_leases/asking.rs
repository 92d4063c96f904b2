//! A statement about one quota that is under way.

use std::sync::Arc;
use std::time::Duration;

use super::lease::Lease;
use super::state::Begun;
use super::terms::{LeaseAnswer, LeaseRequest, Purpose};
use crate::error::Error;
use crate::model::Moment;
use crate::panic;

/// What is asked for. One that is dropped before it is answered has failed.
pub struct Asking {
    pub lease: Arc<Lease>,
    pub request: LeaseRequest,
    /// `None` once it has ended.
    begun: Option<Begun>,
}

impl Asking {
    /// Begins to ask the database; `None` while a statement is under way.
    #[must_use]
    pub fn begin(lease: &Arc<Lease>, purpose: Purpose, now: Moment) -> Option<Self> {
        let (request, begun) = lease.begin(purpose, now)?;
        Some(Self {
            lease: Arc::clone(lease),
            request,
            begun: Some(begun),
        })
    }

    /// The same after the statement that is under way.
    pub async fn begin_next(
        lease: &Arc<Lease>,
        purpose: Purpose,
        now: impl Fn() -> Moment,
    ) -> Self {
        loop {
            // Before the look at whether one is under way, so that its end is not missed.
            let ended = lease.ended();
            if let Some(asking) = Self::begin(lease, purpose, now()) {
                return asking;
            }
            ended.await;
        }
    }

    /// Takes the answer, and the fault that those who wait are told instead. Those for whom others must give units back wait
    /// for as long as `patience`. Returns the time until more is to be asked for; `None` if there is nothing.
    pub fn end(
        mut self,
        answer: Result<LeaseAnswer, Error>,
        fault: Option<Error>,
        patience: Duration,
        now: Moment,
    ) -> Option<Duration> {
        let begun = self.begun.take()?;
        self.lease.end(begun, answer, fault, patience, now)
    }

    /// Leaves it to a later statement. Returns whether somebody waits for it.
    pub fn postpone(mut self) -> bool {
        self.begun = None;
        self.lease.postpone()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(begun) = self.begun.take() {
            let abandoned = Err(Error::internal(panic::ABANDONED));
            self.lease
                .end(begun, abandoned, None, Duration::ZERO, begun.at);
        }
    }
}
