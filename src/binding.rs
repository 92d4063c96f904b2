//! The only code that uses Node-API: the exported functions and their documentation, by subject.
//!
//! Arguments are read on the JavaScript thread and validated in [`crate::input`]. The work runs on the runtime.

mod admin;
mod call;
mod clients;
mod console;
mod constants;
mod derived_tokens;
mod events;
mod exit;
mod imports;
mod internal;
mod keys;
mod leaks;
mod operation;
mod presented;
mod promise;
mod quotas;
mod revocation;
mod roles;
mod text;
mod usage;
mod value;
mod views;
mod warm;
mod webhooks;

use crate::{panic, process};

/// Runs when the addon is loaded, before it starts any thread.
#[napi_derive::module_init]
fn init() {
    panic::install_hook(process::emit_panic);
}
