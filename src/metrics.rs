//! What Prometheus is told: counters of the process, which never go back whatever is started and closed in it, and
//! the state of the service that runs.
//!
//! A verify from memory adds one to one counter, and to one more where clients are told apart. Nothing here takes a lock on
//! that path, nor asks a clock but for the verifies that are timed.

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
