//! Who waits for units.

use tokio::sync::oneshot;

use crate::error::Error;

/// A request that waits for an answer of the database.
pub(super) struct Waiter {
    pub(super) cost: i64,
    pub(super) answered: oneshot::Sender<Result<(), Error>>,
}
