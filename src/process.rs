//! The one service of a process: configured, started by the first call, closed, perhaps started anew. All worker
//! threads share it. This is the composition root: no module below it creates a service, reads the system clock or
//! reads the environment.

mod clock;
mod close;
mod configure;
mod flush;
mod keyring;
mod migrate;
mod report;
mod runtime;
mod signals;
mod start;
mod state;

pub use clock::now;
pub use close::{Close, begin_close};
pub use configure::configure;
pub use flush::{flush, flush_blocking};
pub use migrate::{MigrationReport, migrate, migration_script};
pub use report::{count_verify, emit_panic, metrics_text, note_proxy, report_fault};
pub use runtime::runtime;
pub use signals::has_default_action;
pub use state::{
    Call, WarmCall, catalogue, couriers, enter, enter_warm, environment, events, is_configured,
    kinds, metrics, proxy_trust, request_ended, started,
};
