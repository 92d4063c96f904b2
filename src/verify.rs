//! Verifies a presented key: from memory in `verify/memory.rs`, else by the database and the hash in
//! `verify/authenticate.rs`; then `verify/decide.rs` checks what the key permits now.

mod attempt;
mod authenticate;
mod cold;
mod context;
mod decide;
mod memory;
mod rehash;
mod row;
mod suspension;
mod verification;

pub use attempt::note_refusal;
pub use cold::verify;
pub use context::{Scopes, VerifyContext};
pub use memory::warm;
pub use suspension::store_suspensions;
pub use verification::{RefusedKey, Verification};
