//! The only code that knows Node-API: the exported functions and their documentation, by subject.
//!
//! Arguments are read on the JavaScript thread and judged in [`crate::input`]; the work runs on the runtime.

mod admin;
mod call;
mod constants;
mod events;
mod exit;
mod internal;
mod keys;
mod operation;
mod promise;
mod value;
mod views;
mod warm;

use crate::{panic, process};

/// When the package is loaded, before any thread of it is started.
#[napi_derive::module_init]
fn init() {
    panic::install_hook(process::emit_panic);
}
