//! Flushes that somebody asks for.

use std::time::Duration;

use tokio::time::timeout;

use super::runtime::runtime;
use super::state::started;
use crate::error::Error;
use crate::{panic, tasks};

/// How long the end of a process may be held up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stores all that was counted before the call. Nothing is started for it.
pub async fn flush() -> Result<(), Error> {
    match started() {
        Some(service) => tasks::flush(&service).await,
        None => Ok(()),
    }
}

/// Stores what was counted while the caller waits, in at most a second.
pub fn flush_blocking() {
    let Some(service) = started() else {
        return;
    };
    if service.has_nothing_to_store() {
        return;
    }
    if let Ok(runtime) = runtime() {
        // At the end of a process nobody is left to hear of a fault.
        let flushed = async { timeout(PATIENCE, panic::catch(tasks::flush(&service))).await };
        let _ = runtime.block_on(flushed);
    }
}
