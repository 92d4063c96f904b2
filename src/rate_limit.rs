//! Rate limits: GCRA, the generic cell rate algorithm, by governor.
//!
//! `limit` requests may come at once, and used ones become available again evenly over the window. Kept apart from the
//! cache, so that neither an eviction nor an edit of a key forgets what it has used.

mod cell;
mod limiter;
mod limiters;
mod refunds;
mod rule;
mod settle;
mod throttle;

pub use limiter::Limiter;
pub use limiters::Limiters;
pub use refunds::PastCharge;
pub use rule::{Decision, FleetUse, Rule, Share};
pub use throttle::Throttle;
