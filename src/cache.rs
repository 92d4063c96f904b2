//! What was proved and read before, and whether it may still be believed.
//!
//! Everything is on one number line, the sequence of changes that this process has seen: an entry remembers where
//! it was read, a row where it last changed. An entry is current while its row has not changed since. So a change
//! costs one store, whatever is cached, and a verify in flight cannot bring back what was revoked meanwhile.

mod entries;
mod key;
mod row;

pub use entries::{Cache, CacheLookup, Entry, Sequence};
pub use key::CacheKey;
pub use row::Row;
