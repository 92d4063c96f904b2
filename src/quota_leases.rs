//! Leases of quotas: the units that this process may spend without asking the database.
//!
//! A quota is one number for all processes. Each leases a part of it, spends that in memory, and leases more before it runs
//! out. What it tells the database, and what that answers, are sums since the lease began: no repetition counts twice.

mod ahead;
mod answer;
mod asking;
mod lease;
mod leases;
mod part;
mod recall;
mod state;
mod taken;
mod terms;
mod waiter;
mod waits;

pub use answer::QuotaAnswer;
pub use asking::Asking;
pub use lease::Lease;
pub use leases::{Leases, Wait};
pub use taken::Taken;
pub use terms::{LeaseAnswer, LeaseRequest, LeasedPart, Purpose, QuotaKey, SpentPart};

#[cfg(test)]
mod tests;
