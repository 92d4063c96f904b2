//! Prometheus metrics: counters of the process, which never decrease however many services it starts and closes, and
//! the state of the running service.
//!
//! A verify from memory increments one counter, and a second one if metrics count by client. Nothing on that path takes
//! a lock, and only timed verifies read the clock.

mod background;
mod clients;
mod counter;
mod histogram;
mod process;
mod report;
mod state;
mod text;

pub use background::BackgroundTask;
pub use clients::{ClientUses, Clients};
pub use counter::{Counter, Counts, Timed};
pub use histogram::Histogram;
pub use process::{Metrics, TIMED_EVERY, VerifyCount};
pub use state::{Gauges, Snapshot, Totals};
