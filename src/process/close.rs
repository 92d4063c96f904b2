//! Closes the service.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::runtime::runtime;
use super::state::{ProcessState, Running, metrics, set_started, state};
use crate::error::Error;
use crate::metrics::BackgroundTask;
use crate::panic;
use crate::service::Service;
use crate::tasks::{Extent, flush};

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
        let result = end(&self.0).await;
        set_started(None);
        let mut state = state();
        if let Some(service) = self.0.service.get() {
            metrics().retire(service.totals());
        }
        state.reset();
        result
    }
}

/// Puts a service that is not started yet in the place of the running one, which is closed when its calls have ended.
pub(super) fn replace(state: &mut ProcessState) -> Result<(), Error> {
    let runtime = runtime()?;
    let old = mem::take(&mut state.running);
    old.begin_close();
    set_started(None);
    if let Some(service) = old.service.get() {
        metrics().retire(service.totals());
    }
    runtime.spawn(async move {
        let _one_at_a_time = CLOSING.lock().await;
        // This happens only in development, and nobody waits for the outcome.
        let _ = end(&old).await;
    });
    Ok(())
}

/// Waits for running calls, then stops the service.
async fn end(running: &Running) -> Result<(), Error> {
    running.calls_ended().await;
    running.recovery.stop().await;
    match running.service.get() {
        Some(service) => stop(service).await,
        None => Ok(()),
    }
}

/// Stops the background tasks, stores the counts, deletes the keys that nobody has and closes the connections. Nothing of
/// the service lives on after it.
async fn stop(service: &Service) -> Result<(), Error> {
    service.background.stop().await;
    service.store.leave_cancelled_statements().await;
    service.unwritable_keys.try_all(Instant::now());
    let swept = service
        .unconfirmed_keys
        .sweep(&service.store, service.now());
    let (flushed, _) = tokio::join!(
        timeout(PATIENCE, panic::catch(flush(service, Extent::All))),
        timeout(
            PATIENCE,
            service.run_round(BackgroundTask::UnconfirmedKeys, swept)
        ),
    );
    if service.deliverer.may_be_delivering() {
        let stopped = service.store.stop_delivering();
        let _ = timeout(PATIENCE, stopped).await;
    }
    let (uses, entries) = (service.usage.pending(), service.audit.give_up());
    let _ = timeout(PATIENCE, service.store.close()).await;
    let cause = match flushed {
        // The usage of keys whose rows cannot be written is left.
        Ok(Ok(Ok(()))) if uses == 0 => return Ok(()),
        Ok(Ok(Err(error)) | Err(error)) => error.origin().cloned(),
        Ok(Ok(Ok(()))) | Err(_) => None,
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
