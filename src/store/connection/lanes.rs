//! Connections of their own for the lookups of verifies. They stay with their lane from one statement to the next, so
//! that nothing goes over the line but the lookups, and keep one plan for all of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sqlx::Connection;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::error::StoreError;
use super::servers::Connector;
use super::session::{LaneConnection, Session};
use crate::background::Background;

/// A connection is replaced at this age, so that a process follows when a name leads to another server.
const MAX_AGE: Duration = Duration::from_secs(1_800);
/// The time that a connection may take to close.
const GOODBYE: Duration = Duration::from_secs(1);

/// How many lookups run side by side, and their connections.
#[derive(Debug)]
pub(in crate::store) struct Lanes {
    connector: Connector,
    free: Semaphore,
    count: usize,
    have_connections: bool,
    idle: Mutex<VecDeque<LaneConnection>>,
    renewing: Background,
}

impl Lanes {
    /// Up to `connections` lanes with connections of their own; if there are none, one lane. Does not connect yet.
    pub(in crate::store) fn new(connector: Connector, connections: usize) -> Self {
        let count = connections.max(1);
        Self {
            connector,
            free: Semaphore::new(count),
            count,
            have_connections: connections > 0,
            idle: Mutex::default(),
            renewing: Background::default(),
        }
    }

    /// A free lane.
    pub(in crate::store) fn enter(&self) -> Option<SemaphorePermit<'_>> {
        self.free.try_acquire().ok()
    }

    pub(in crate::store) fn has_free(&self) -> bool {
        self.free.available_permits() > 0
    }

    /// Whether the lanes have connections of their own.
    pub(in crate::store) fn have_connections(&self) -> bool {
        self.have_connections
    }

    pub(in crate::store) fn has_several(&self) -> bool {
        self.count > 1
    }

    /// A session on an idle connection of this generation, or on a new one.
    pub(in crate::store) async fn session(&self, generation: u64) -> Result<Session, StoreError> {
        let idle = {
            let mut idle = self.idle.lock();
            idle.retain(|held| held.generation == generation);
            idle.pop_back()
        };
        let held = match idle {
            Some(held) => held,
            None => self.connect(generation).await?,
        };
        Ok(Session::of_lane(held))
    }

    async fn connect(&self, generation: u64) -> Result<LaneConnection, StoreError> {
        Ok(LaneConnection {
            connection: self.connector.connect().await?,
            generation,
            connected_at: Instant::now(),
        })
    }

    /// Takes back a connection whose statement was answered. An old one is replaced while no verify waits for it.
    pub(in crate::store) fn put_back(self: &Arc<Self>, held: LaneConnection) {
        if held.connected_at.elapsed() < MAX_AGE {
            self.keep(held, VecDeque::push_back);
            return;
        }
        let lanes = Arc::clone(self);
        self.renewing.spawn(async move {
            if let Ok(fresh) = lanes.connect(held.generation).await {
                lanes.keep(fresh, VecDeque::push_back);
            }
            close(held).await;
        });
    }

    /// Takes back a connection that the next lookup uses only if no other is free.
    pub(in crate::store) fn put_beneath(&self, held: LaneConnection) {
        self.keep(held, VecDeque::push_front);
    }

    /// Closes the connection if each lane has one: a verify that came while one was renewed has opened another.
    fn keep(&self, held: LaneConnection, put: fn(&mut VecDeque<LaneConnection>, LaneConnection)) {
        let mut idle = self.idle.lock();
        if idle.len() < self.count {
            put(&mut idle, held);
        } else {
            self.renewing.spawn(close(held));
        }
    }

    /// The numbers of open connections and of idle ones.
    pub(in crate::store) fn connections(&self) -> (usize, usize) {
        if !self.have_connections {
            return (0, 0);
        }
        let idle = self.idle.lock().len();
        let busy = self.count - self.free.available_permits();
        (busy + idle, idle)
    }

    pub(in crate::store) async fn close(&self) {
        self.renewing.stop().await;
        let idle = std::mem::take(&mut *self.idle.lock());
        for held in idle {
            close(held).await;
        }
    }
}

async fn close(held: LaneConnection) {
    let _ = tokio::time::timeout(GOODBYE, held.connection.close()).await;
}
