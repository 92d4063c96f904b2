//! How statements reach the server: connections, deadlines, retries, and what protects callers during an outage.

mod admission;
mod circuit;
pub(super) mod error;
mod lanes;
mod listener;
mod pool;
mod remedies;
mod servers;
mod session;
mod trouble;

pub use circuit::Circuit;
pub(super) use listener::CHANNEL;
pub use listener::{Notice, NotificationListener};

pub use admission::Share;
pub(super) use admission::{Shares, in_vain};
pub(super) use lanes::Lanes;
pub(super) use pool::{ConnectionPool, DEMOTED, UNANSWERED};
pub(super) use servers::Connector;
pub(super) use session::Session;
pub(super) use trouble::{NoConnection, Trouble};
