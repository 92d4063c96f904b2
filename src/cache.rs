//! Authenticated credentials and the rows they belong to, and whether they may still be trusted.
//!
//! Everything is placed in one sequence: the changes that this process has seen. An entry records the position at which
//! it was read, a row the position of its last change. An entry is current while its row has not changed since. So a
//! change costs one atomic store, however much is cached, and a verify in flight cannot bring back a key revoked in the
//! meantime.

mod ages;
mod entries;
mod entry;
mod key;
mod row;
mod rows;
mod suspension;

pub use entries::{Cache, CacheLookup};
pub use entry::{Entry, Place};
pub use key::CacheKey;
pub use row::Row;
pub use rows::{Rows, Sequence};
