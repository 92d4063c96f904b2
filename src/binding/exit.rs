//! The end of an environment: what was counted is stored before it is too late.

use napi::Env;
use napi_derive::napi;

use crate::process;

/// Stores what was counted, in at most a second, while the JavaScript thread waits. For `exit.js`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn flush_blocking() {
    process::flush_blocking();
}

/// Flushes when the environment ends: of a worker thread that is terminated no JavaScript runs any more.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn flush_at_teardown(env: Env) -> napi::Result<()> {
    env.add_env_cleanup_hook((), |()| {
        let _ = std::panic::catch_unwind(process::flush_blocking);
    })?;
    Ok(())
}
