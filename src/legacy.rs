//! Legacy import: replaces the plaintext keys and tokens in rows of an older implementation with hashes.

mod backfill;
mod first_use;
mod lost_keys;
mod presence;
mod request;
mod row;

pub use backfill::{Backfilled, backfill};
pub use first_use::{hash_imported_on_first_use, hash_on_first_use, hash_token_on_first_use};
pub use lost_keys::report_lost_keys;
pub use presence::{any_legacy_key, are_known_to_be_absent, import_forms};
pub use request::BackfillRequest;
