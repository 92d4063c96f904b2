//! Legacy import: rows of an older implementation hold keys and tokens in plaintext, which hashes replace.

mod backfill;
mod first_use;
mod request;
mod row;

pub use backfill::{Backfilled, backfill};
pub use first_use::{hash_on_first_use, hash_token_on_first_use};
pub use request::BackfillRequest;
