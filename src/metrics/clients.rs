//! Accepted verifies by client, if the operator asks for it. Bounded, since each client is a time series.

use parking_lot::Mutex;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// All clients beyond the limit. A client of this name is counted together with them.
const OTHER: &str = "other";

/// The counter of accepted verifies of one client, or of all clients beyond the limit.
#[derive(Debug, Clone)]
pub struct ClientUses(Arc<AtomicU64>);

impl ClientUses {
    pub fn add_one(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[derive(Debug, Default)]
pub struct Clients(Mutex<BTreeMap<String, ClientUses>>);

impl Clients {
    /// The counter for this client, if clients are counted. The first `limit` names in the process keep counters of
    /// their own, and the rest share one.
    pub fn uses_of(&self, name: &str, limit: usize) -> Option<ClientUses> {
        if limit == 0 {
            return None;
        }
        let mut clients = self.0.lock();
        let named = clients.keys().filter(|client| *client != OTHER).count();
        let place = if clients.contains_key(name) || named < limit {
            name.to_owned()
        } else {
            OTHER.to_owned()
        };
        let fresh = || ClientUses(Arc::default());
        Some(clients.entry(place).or_insert_with(fresh).clone())
    }

    /// The counters by client name.
    pub(super) fn list(&self) -> Vec<(String, u64)> {
        let clients = self.0.lock();
        let listed = |(name, uses): (&String, &ClientUses)| (name.clone(), uses.0.load(Relaxed));
        clients.iter().map(listed).collect()
    }
}
