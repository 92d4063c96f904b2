//! The background tasks, which run for as long as the service lives. Closing the service cancels each task at its next
//! `await`.

mod change_log;
mod fleet_events;
mod flush;
mod key_usage;
mod legacy_backfill;
mod listener;
mod outage;
mod purge;
mod quota_leases;
mod usage_history;
mod webhooks;

pub use change_log::Follower;
pub use flush::{Extent, flush};
pub use outage::until_it_answers;

use std::sync::Arc;

use crate::service::Service;

/// Spawns the tasks of a service.
pub fn spawn_all(service: &Arc<Service>, follower: Follower) {
    let tasks = &service.background;
    tasks.spawn(flush::run(Arc::clone(service)));
    tasks.spawn(change_log::run(Arc::clone(service), follower));
    tasks.spawn(outage::run(Arc::clone(service)));
    tasks.spawn(key_usage::run(Arc::clone(service)));
    tasks.spawn(usage_history::run(Arc::clone(service)));
    tasks.spawn(fleet_events::run(Arc::clone(service)));
    tasks.spawn(webhooks::run(Arc::clone(service)));
    tasks.spawn(quota_leases::run(Arc::clone(service)));
    if let Some(listener) = service.store.listener() {
        tasks.spawn(listener::run(Arc::clone(service), listener));
    }
    tasks.spawn(legacy_backfill::run(Arc::clone(service)));
    if let Some(days) = service.config.purge_revoked_days {
        tasks.spawn(purge::run(Arc::clone(service), days));
    }
}
