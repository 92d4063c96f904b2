//! Accepted verifies by client, for operators who ask for it: bounded, since each client is a time series.

use parking_lot::Mutex;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// All clients beyond those that are told apart. A client of this name is one of them.
const OTHER: &str = "other";

/// The accepted verifies of one client, or of those that are counted together.
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
    /// Where uses of this client are counted, if clients are: the first `limit` of the process by their names, which
    /// they keep, and the rest together.
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

    /// By their names.
    pub(super) fn list(&self) -> Vec<(String, u64)> {
        let clients = self.0.lock();
        let listed = |(name, uses): (&String, &ClientUses)| (name.clone(), uses.0.load(Relaxed));
        clients.iter().map(listed).collect()
    }
}
