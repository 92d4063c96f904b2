//! Flushes on request and at the end of the process.

use std::time::Duration;

use tokio::time::timeout;

use super::runtime::runtime;
use super::state::started;
use crate::error::Error;
use crate::panic;
use crate::tasks::{self, Extent};

/// Time limit for a flush at the end of a process, and the one where there is so much to store that this would not do.
const PATIENCE: Duration = Duration::from_secs(1);
const PATIENCE_MAX: Duration = Duration::from_secs(5);

/// Stores everything that was counted before the call. Does not start the service.
pub async fn flush() -> Result<(), Error> {
    match started() {
        Some(service) => tasks::flush(&service, Extent::All).await,
        None => Ok(()),
    }
}

/// Stores the counts while the caller waits, for at most a second, or a few if storing takes long.
pub fn flush_blocking() {
    let Some(service) = started() else {
        return;
    };
    if service.has_nothing_to_store() {
        return;
    }
    // Costs of limits that were held back may take as long as uses, and both twice as long as usual.
    let usual = service.usage.tempo().cost();
    let patience = usual.saturating_mul(4).clamp(PATIENCE, PATIENCE_MAX);
    if let Ok(runtime) = runtime() {
        // At the end of a process there is no one left to report an error to.
        let flushed =
            async { timeout(patience, panic::catch(tasks::flush(&service, Extent::All))).await };
        let _ = runtime.block_on(flushed);
    }
}
