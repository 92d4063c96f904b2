//! A statement about one quota that is under way.

use std::sync::Arc;

use super::lease::Lease;
use super::terms::{LeaseAnswer, LeaseRequest};
use crate::error::Error;
use crate::model::Moment;
use crate::panic;

/// What is asked for, and how the answer is to be taken. One that is dropped before it is answered has failed.
pub struct Asking {
    pub lease: Arc<Lease>,
    pub request: LeaseRequest,
    /// When the statement began: what ends so much later by the answer has ended by then.
    pub(super) at: Moment,
    /// The changes that were known then.
    pub(super) doubts: u64,
    is_ended: bool,
}

impl Asking {
    pub(super) fn new(lease: Arc<Lease>, request: LeaseRequest, at: Moment, doubts: u64) -> Self {
        Self {
            lease,
            request,
            at,
            doubts,
            is_ended: false,
        }
    }

    /// Takes the answer. Returns whether there is more to ask for.
    pub fn end(mut self, answer: Result<LeaseAnswer, Error>) -> bool {
        self.is_ended = true;
        self.lease.end(&self, answer)
    }

    /// Leaves it to a later statement. Returns whether somebody waits for it.
    pub fn postpone(mut self) -> bool {
        self.is_ended = true;
        self.lease.postpone()
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if !self.is_ended {
            self.lease.end(self, Err(Error::internal(panic::ABANDONED)));
        }
    }
}
