//! Whether this process is the one that delivers to webhooks, and what wakes it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Default)]
pub struct Deliverer {
    is_delivering: AtomicBool,
    is_asking: AtomicBool,
    wake: Notify,
}

impl Deliverer {
    pub fn is_delivering(&self) -> bool {
        self.is_delivering.load(Ordering::Relaxed)
    }

    /// The database is asked for the turn to deliver.
    pub fn ask(&self) {
        self.is_asking.store(true, Ordering::Relaxed);
    }

    /// The database has answered.
    pub fn set_delivering(&self, is_delivering: bool) {
        self.is_delivering.store(is_delivering, Ordering::Relaxed);
        self.is_asking.store(false, Ordering::Relaxed);
    }

    /// Whether the database may hold this process for the one that delivers: it is, or the answer never came.
    pub fn may_be_delivering(&self) -> bool {
        self.is_delivering() || self.is_asking.load(Ordering::Relaxed)
    }

    /// A webhook or a delivery has changed: there may be something to do, for this process too.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Something has changed, of which there may be a notice. Only the process that delivers looks.
    pub fn note_change(&self) {
        if self.is_delivering() {
            self.wake();
        }
    }

    pub async fn woken(&self) {
        self.wake.notified().await;
    }
}
