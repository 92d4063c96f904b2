//! Flushes on request and at the end of the process.

use std::time::Duration;

use tokio::time::timeout;

use super::runtime::runtime;
use super::state::started;
use crate::error::Error;
use crate::panic;
use crate::tasks::{self, Leases};

/// Time limit for a flush at the end of a process.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stores everything that was counted before the call. Does not start the service.
pub async fn flush() -> Result<(), Error> {
    match started() {
        Some(service) => tasks::flush(&service, Leases::Returned).await,
        None => Ok(()),
    }
}

/// Stores the counts while the caller waits, for at most a second.
pub fn flush_blocking() {
    let Some(service) = started() else {
        return;
    };
    if service.has_nothing_to_store() {
        return;
    }
    if let Ok(runtime) = runtime() {
        // At the end of a process there is no one left to report an error to.
        let flushed = async {
            timeout(
                PATIENCE,
                panic::catch(tasks::flush(&service, Leases::Returned)),
            )
            .await
        };
        let _ = runtime.block_on(flushed);
    }
}
