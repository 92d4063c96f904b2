//! The end of an environment: what was counted is stored before it is too late.

use std::time::Duration;

use napi::Env;
use napi_derive::napi;

use crate::{panic, process, tasks};

/// How long the end of a process may be held up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stores what was counted, in at most a second, while the JavaScript thread waits. For `exit.js`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn flush_blocking() {
    let Some(service) = process::started() else {
        return;
    };
    if service.has_nothing_to_store() {
        return;
    }
    if let Ok(runtime) = process::runtime() {
        // Who ends has nobody to tell of a fault.
        let _ = runtime.block_on(async {
            tokio::time::timeout(PATIENCE, panic::catch(tasks::flush(&service))).await
        });
    }
}

/// Flushes when the environment ends: of a worker thread that is terminated no JavaScript runs any more.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn flush_at_teardown(env: Env) -> napi::Result<()> {
    env.add_env_cleanup_hook((), |()| {
        let _ = std::panic::catch_unwind(flush_blocking);
    })?;
    Ok(())
}
