//! Quotas: reads and grants them, and leases units of them for verifies.

mod get;
mod grant;
mod input;
mod lease;
mod time_zones;

pub use get::get;
pub use grant::grant;
pub use input::{GetQuota, GrantQuota};
pub use lease::{ask, report_due, return_all};
pub use time_zones::{UNKNOWN_TIME_ZONE, require_time_zones};
