//! API keys for Node.js services on Postgres: issue, manage, verify.
//!
//! # The walk of one verify
//!
//! 1. `warm.js` calls `binding/warm.rs`, which asks [`verify::warm`] of the running [`service`] at once: the [`cache`]
//!    finds what was proved before, [`model`] checks what the key permits now, [`limit`] charges the rate limit,
//!    [`usage`] counts. Numbers go back, and `warm.js` makes the result.
//! 2. What memory cannot answer goes to `binding.rs`: a promise is made, and [`lifecycle`] gives the service, started
//!    by the first call.
//! 3. [`verify::verify`]: [`token`] tells junk and forgeries without I/O, and [`throttle`] has addresses that keep
//!    presenting wrong keys wait; `verify/prove.rs` lets [`store`] find the
//!    row and [`hash`] prove the secret, and puts it into the cache; then the same checks as above.
//! 4. `binding/shapes/verification.rs` writes the answer, and `index.js` makes it an object.
//!
//! [`sync`] keeps the cache true: it follows the change log that triggers write, whoever changes a key. [`flush`] stores
//! what was counted, and learns what other processes have counted. [`events`] and [`metrics`] tell operators.
//!
//! The leaves do not call each other; `napi` appears in `binding` alone.

pub mod admin;
pub mod adoption;
pub mod audit;
// The exports register with Node alone; without it they are dead code.
#[cfg(not(test))]
mod binding;
pub mod cache;
pub mod client_address;
pub mod config;
pub mod defect;
pub mod doctor;
pub mod error;
pub mod events;
pub mod flush;
pub mod hash;
pub mod input;
pub mod keys;
pub mod lifecycle;
pub mod limit;
pub mod lock;
pub mod metrics;
pub mod model;
pub mod outage;
pub mod random;
pub mod service;
pub mod shown;
pub mod store;
pub mod sync;
pub mod throttle;
pub mod token;
pub mod usage;
pub mod verify;
