//! The end of an environment: stores the counts before it is too late.

use napi::Env;
use napi_derive::napi;

use crate::process;

/// Stores the counts while the JavaScript thread waits, for at most a second. For `lib/exit.js`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn flush_blocking() {
    process::flush_blocking();
}

/// Registers a flush for the end of the environment: a worker thread that is terminated runs no JavaScript any more.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn flush_at_teardown(env: Env) -> napi::Result<()> {
    env.add_env_cleanup_hook((), |()| {
        let _ = std::panic::catch_unwind(process::flush_blocking);
    })?;
    Ok(())
}

/// Whether a signal still has its default action: neither JavaScript nor native code handles it. For `lib/exit.js`.
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn has_default_action(signal: i32) -> bool {
    process::has_default_action(signal)
}
