//! API keys for Node.js services on Postgres: issue, manage, verify.
//!
//! # The walk of one verify
//!
//! 1. `index.js` calls [`binding`]`::verify_api_key`: the arguments are read, a promise is made.
//! 2. [`lifecycle`] gives the running [`service`], started by the first call.
//! 3. [`verify`] goes from top to bottom: [`token`] tells junk and forgeries without I/O; [`store`] finds the row;
//!    [`hash`] proves the secret; [`model`] checks what the key permits; [`limit`] charges the rate limit;
//!    [`usage`] counts.
//! 4. [`binding`]`::shapes` writes the answer, and `index.js` makes it an object.
//!
//! The leaves do not call each other; `napi` appears in [`binding`] alone.

pub mod admin;
// The exports register with Node alone; without it they are dead code.
#[cfg(not(test))]
mod binding;
pub mod cache;
pub mod config;
pub mod error;
pub mod hash;
pub mod input;
pub mod keys;
pub mod lifecycle;
pub mod limit;
pub mod model;
pub mod random;
pub mod service;
pub mod store;
pub mod sync;
pub mod token;
pub mod usage;
pub mod verify;
