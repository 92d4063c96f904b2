//! API keys for Node.js services on Postgres: issue, manage, verify.
//!
//! # How a key is verified
//!
//! 1. `lib/warm.js` calls `binding/warm.rs`, which calls [`verify::warm`]: the [`cache`] finds a key that was
//!    authenticated before, [`model`] checks what it permits now, [`rate_limit`] charges the limit, [`usage`] counts
//!    the use. Only numbers are returned, and `lib/warm.js` builds the result from them.
//! 2. If memory has no answer, `binding/keys.rs` creates a promise, and [`process`] provides the service, which the
//!    first call starts.
//! 3. In [`verify::verify`], [`token`] rejects junk and forgeries without I/O. Then `verify/authenticate.rs` lets
//!    [`store`] find the row and [`hash`] compare the secret, and caches the key. The same checks as above follow.
//! 4. `binding/views/verification.rs` serialises the result, and JavaScript parses it.
//!
//! # The layers
//!
//! The modules are listed from the bottom up. Each knows only those below it; `scripts/layers.mjs` checks this.

// Foundations.
pub mod background;
pub mod error;
pub mod panic;
pub mod random;

// Values.
pub mod model;

// Untrusted input.
pub mod input;

// Engines, which do not depend on each other.
pub mod cache;
pub mod courier;
pub mod events;
pub mod hash;
pub mod jwt;
pub mod metrics;
pub mod quota_leases;
pub mod rate_limit;
pub mod seal;
pub mod single_flight;
pub mod token;
pub mod usage;

// Configuration and the database.
pub mod config;
pub mod store;

// State of the service.
pub mod audit;
pub mod cached_clients;
pub mod cached_key;
pub mod cached_limits;
pub mod cached_quotas;
pub mod cached_roles;
pub mod cached_token;
pub mod charges;
pub mod cold_digests;
pub mod deliverer;
pub mod issued_plaintexts;
pub mod legacy_keys;
pub mod preloaded_keys;
pub mod reused_keys;
pub mod sealing;
pub mod self_check;
pub mod suspensions;
pub mod token_keys;
pub mod unconfirmed_keys;
pub mod unreadable_keys;
pub mod unwritable_keys;
pub mod usage_folding;

// The context.
pub mod service;

// Operations.
pub mod admin;
pub mod audit_log;
pub mod clients;
pub mod console;
pub mod derived_tokens;
pub mod doctor;
pub mod health;
pub mod imports;
pub mod keys;
pub mod legacy;
pub mod quotas;
pub mod roles;
pub mod usage_history;
pub mod verify;
pub mod warm_up;
pub mod webhooks;

// Background tasks.
pub mod tasks;

// The composition root.
pub mod process;

// Only Node calls the exports; in tests they would be dead code.
#[cfg(not(test))]
mod binding;
