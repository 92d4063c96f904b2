//! Whether this process is the one that delivers to webhooks, and what wakes it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Default)]
pub struct Deliverer {
    is_delivering: AtomicBool,
    wake: Notify,
}

impl Deliverer {
    pub fn is_delivering(&self) -> bool {
        self.is_delivering.load(Ordering::Relaxed)
    }

    pub fn set_delivering(&self, is_delivering: bool) {
        self.is_delivering.store(is_delivering, Ordering::Relaxed);
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
