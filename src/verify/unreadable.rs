//! Rows whose hash cannot be computed: each is told once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::events::Event;
use crate::lock::locked;
use crate::model::Grant;
use crate::service::Service;
use crate::shown::Shown;

/// Rows that are told of; of more than so many the table is the matter, not a row.
const TOLD_MAX: usize = 10_000;

#[derive(Default)]
pub struct Unreadable {
    told: Mutex<HashSet<Arc<str>>>,
}

impl Unreadable {
    pub(super) fn tell(&self, service: &Service, grant: &Grant) {
        if self.is_new(&grant.key_id) {
            service.tell(&Event::KeyUnreadable {
                key_id: Shown::new(&grant.key_id),
                name: Shown::new(&grant.name),
                client_id: Shown::new(&grant.client_id),
            });
        }
    }

    fn is_new(&self, key_id: &Arc<str>) -> bool {
        let mut told = locked(&self.told);
        told.len() < TOLD_MAX && told.insert(Arc::clone(key_id))
    }
}
