//! Rows that another session has locked: statements skip them, so that nobody waits for a lock.

use std::time::Duration;

use tokio::time::sleep;

/// How often and how long skipped rows are tried again: for a second in all.
#[derive(Debug, Default)]
pub struct LockedRows {
    tries: usize,
}

impl LockedRows {
    const TRIES: usize = 20;
    const PAUSE: Duration = Duration::from_millis(50);

    /// Waits before the skipped rows are tried again; `false` once they were tried often enough.
    pub async fn wait(&mut self) -> bool {
        self.tries += 1;
        if self.tries == Self::TRIES {
            return false;
        }
        sleep(Self::PAUSE).await;
        true
    }
}
