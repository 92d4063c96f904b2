//! Requests to webhooks: put together and signed here, sent by JavaScript.

mod couriers;
mod signature;
mod target;

pub use couriers::{Couriers, Ended};
pub use signature::signatures;
pub use target::{is_public, read_url};
