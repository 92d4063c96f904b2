//! The lookups that wait for a statement.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::candidate::{Candidate, Wanted};
use super::connection::Lanes;
use crate::background::Background;
use crate::error::Error;

/// Lookups per statement.
pub(super) const BATCH_MAX: usize = 128;

pub(super) type Found = Result<Option<Candidate>, Error>;

/// The lookups that wait for a statement, and the lanes in which statements run.
#[derive(Debug)]
pub(super) struct Lookups {
    waiting: Mutex<VecDeque<Waiting>>,
    pub(super) lanes: Arc<Lanes>,
    running: Background,
}

/// A lookup, and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) wanted: Wanted,
    answer: Mutex<Option<oneshot::Sender<Found>>>,
}

impl Waiting {
    /// Only the first answer counts.
    pub(super) fn answer(&self, found: Found) {
        if let Some(sender) = self.answer.lock().take() {
            // Whoever waited may have given up.
            let _ = sender.send(found);
        }
    }

    fn has_given_up(&self) -> bool {
        let answer = self.answer.lock();
        answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

impl Lookups {
    pub(super) fn new(lanes: Lanes) -> Self {
        Self {
            waiting: Mutex::default(),
            lanes: Arc::new(lanes),
            running: Background::default(),
        }
    }

    pub(super) fn ask(&self, wanted: Wanted) -> oneshot::Receiver<Found> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().push_back(Waiting {
            wanted,
            answer: Mutex::new(Some(sender)),
        });
        receiver
    }

    /// The lookups of the next statement.
    pub(super) fn next_batch(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting.lock();
        waiting.retain(|waiting| !waiting.has_given_up());
        let count = waiting.len().min(BATCH_MAX);
        waiting.drain(..count).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.lock().len()
    }

    /// Runs work that ends when the store is closed.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(work);
    }

    pub(super) async fn close(&self) {
        self.running.stop().await;
        self.lanes.close().await;
    }
}
