//! Closes the service.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::state::{Running, metrics, set_started, state};
use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::panic;
use crate::service::Service;
use crate::tasks::flush;

/// One close at a time.
static CLOSING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Time limit for the last flush, and for closing the connections, so that a server that does not answer cannot hold
/// up a close.
const PATIENCE: Duration = Duration::from_secs(5);

/// A close that has begun: new calls are rejected.
pub struct Close(Arc<Running>);

/// Begins a close: new calls are rejected from now on.
#[must_use]
pub fn begin_close() -> Close {
    let running = Arc::clone(&state().running);
    running.begin_close();
    Close(running)
}

impl Close {
    /// Waits for running calls, stores the counts and closes the connections. The next call starts the service anew.
    pub async fn finish(self) -> Result<(), Error> {
        let _one_at_a_time = CLOSING.lock().await;
        if !Arc::ptr_eq(&self.0, &state().running) {
            return Ok(());
        }
        self.0.calls.close();
        self.0.calls.wait().await;
        self.0.recovery.stop().await;
        set_started(None);
        let service = self.0.service.get();
        let result = match service {
            Some(service) => stop(service).await,
            None => Ok(()),
        };
        let mut state = state();
        if let Some(service) = service {
            metrics().retire(service.totals());
        }
        state.reset();
        result
    }
}

/// Stops the background tasks, stores the counts, deletes the keys that nobody has and closes the connections. Nothing of
/// the service lives on after it.
async fn stop(service: &Service) -> Result<(), Error> {
    service.background.stop().await;
    let swept = service
        .unconfirmed_keys
        .sweep(&service.store, service.now());
    let (flushed, _) = tokio::join!(
        timeout(PATIENCE, panic::catch(flush(service))),
        timeout(
            PATIENCE,
            service.run_round(BackgroundTask::UnconfirmedKeys, swept)
        ),
    );
    let (uses, entries) = (service.usage.pending(), service.audit.give_up());
    let _ = timeout(PATIENCE, service.store.close()).await;
    let cause = match flushed {
        Ok(Ok(Ok(()))) => return Ok(()),
        Ok(Ok(Err(error)) | Err(error)) => error.origin().cloned(),
        Err(_) => None,
    };
    let lost = Error::unavailable(format!(
        "The last counts could not be stored in the database: {uses} uses of keys and {entries} attempts and changes \
         for the audit log are lost"
    ));
    Err(match cause {
        Some(origin) => lost.caused_by(origin),
        None => lost,
    })
}
