//! Verifies a presented key: from memory in `verify/warm.rs`, otherwise with the database and the hash in
//! `verify/authenticate.rs`. Then `verify/decide.rs` checks what the key permits now.

mod attempt;
mod authenticate;
mod charge;
mod cold;
mod context;
mod costs;
mod current;
mod decide;
mod fleet;
mod imported;
mod leaks;
mod lease;
mod memory;
mod peek;
mod preloaded;
mod prove;
mod rehash;
mod revoke;
mod row;
mod scopes;
mod settle;
mod suspension;
mod token;
mod verification;
mod warm;

pub use cold::verify;
pub use context::{Claims, VerifyContext};
pub use costs::Costs;
pub use fleet::fleet_use;
pub use leaks::{LeakReport, REPORT_TEXT_MAX, report_leaked};
pub use revoke::revoke_presented;
pub use scopes::roles_of_rows;
pub use settle::{Settlement, settle};
pub use suspension::store_suspensions;
pub use token::{Parent, parent_of};
pub use verification::{
    KeyEntry, LimitOfKey, LimitStates, QuotaOfKey, RefusedKey, Verification, tightest,
};
pub use warm::{WarmSampler, warm};

/// Length of the longest string that can be a key, in characters.
pub const KEY_LENGTH_MAX: usize = crate::token::MAX_LENGTH;

/// The same for a key, or a token that was derived from one. Every token is longer than a key.
pub const PRESENTED_LENGTH_MAX: usize = crate::jwt::TOKEN_MAX;
