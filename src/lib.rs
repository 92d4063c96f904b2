//! API keys for Node.js services on Postgres: issue, manage, verify.
//!
//! # The walk of one verify
//!
//! 1. `warm.js` calls `binding/warm.rs`, which asks [`verify::warm`] at once: the [`cache`] finds what was authenticated
//!    before, [`model`] checks what the key permits now, [`rate_limit`] charges the limit, [`usage`] counts. Numbers go
//!    back, and `warm.js` makes the result.
//! 2. What memory cannot answer goes to `binding/keys.rs`: a promise is made, and [`process`] gives the service, started
//!    by the first call.
//! 3. [`verify::verify`]: [`token`] tells junk and forgeries without I/O; `verify/authenticate.rs` lets [`store`] find the
//!    row and [`hash`] compare the secret, and keeps the key in the cache; then the same checks as above.
//! 4. `binding/views/verification.rs` writes the answer, and `index.js` makes it an object.
//!
//! # The layers
//!
//! From the bottom up, and each knows only what is below it; `scripts/layers.mjs` proves it.

// Foundations.
pub mod background;
pub mod error;
pub mod panic;
pub mod random;

// Values.
pub mod model;

// Untrusted input.
pub mod input;

// Engines, which do not know each other.
pub mod cache;
pub mod events;
pub mod hash;
pub mod jwt;
pub mod metrics;
pub mod rate_limit;
pub mod single_flight;
pub mod token;
pub mod usage;

// Configuration, and the database.
pub mod config;
pub mod store;

// State that the service keeps.
pub mod audit;
pub mod cached_key;
pub mod cached_token;
pub mod suspensions;
pub mod unconfirmed_keys;
pub mod unreadable_keys;

// The context.
pub mod service;

// Operations.
pub mod admin;
pub mod audit_log;
pub mod doctor;
pub mod health;
pub mod keys;
pub mod legacy;
pub mod verify;

// Beside the operations.
pub mod tasks;

// The composition root.
pub mod process;

// The exports register with Node alone; without it they are dead code.
#[cfg(not(test))]
mod binding;
