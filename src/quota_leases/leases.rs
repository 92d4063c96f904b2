//! The leases of all quotas that this process uses.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use tokio::sync::{Notify, oneshot};

use super::lease::Lease;
use super::terms::{Purpose, QuotaKey};
use crate::error::Error;
use crate::model::{LimitId, LimitOwner, Moment, of_same_owner};

/// Quotas that one statement asks for.
const BATCH_MAX: usize = 32;
/// Requests that may wait for units.
const WAITING_MAX: usize = 20_000;

/// The leases of all quotas that this process uses, and the queue of those to ask for.
#[derive(Default)]
pub struct Leases {
    /// Those of one owner are beside each other.
    by_quota: RwLock<BTreeMap<LimitId, Arc<Lease>>>,
    queue: Mutex<Queue>,
    /// Signals that something is in the queue.
    pub queued: Notify,
    revision: AtomicI64,
    waiting: AtomicUsize,
}

/// Those to ask for.
#[derive(Default)]
struct Queue {
    now: VecDeque<Arc<Lease>>,
    /// Those that are left alone until then. The number tells two of the same instant apart.
    later: BTreeMap<(Instant, i64), Arc<Lease>>,
}

/// A request that waits for units.
pub struct Wait<'a> {
    answer: oneshot::Receiver<Result<(), Error>>,
    waiting: &'a AtomicUsize,
}

impl Wait<'_> {
    /// Waits until the database has answered.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn end(mut self) -> Result<(), Error> {
        (&mut self.answer)
            .await
            .unwrap_or_else(|_| Err(Error::OVERLOADED))
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Leases {
    /// The lease of a quota. It stays that of the quota for as long as the handle is held.
    pub fn entry(&self, owner: LimitOwner<'_>, name: &str) -> Arc<Lease> {
        let id = owner.limit(name);
        if let Some(lease) = self.by_quota.read().get(&id) {
            return Arc::clone(lease);
        }
        let mut leases = self.by_quota.write();
        let fresh = || Arc::new(Lease::new(QuotaKey::of(owner, name)));
        Arc::clone(leases.entry(id).or_insert_with(fresh))
    }

    /// The lease of a quota, if the process uses it.
    pub fn find(&self, id: &LimitId) -> Option<Arc<Lease>> {
        self.by_quota.read().get(id).cloned()
    }

    /// Notes that the key or client was changed now that owns this quota, and perhaps its quotas. Nothing of them is spent
    /// before the database has been asked.
    pub fn note_change(&self, of_owner: &LimitId) {
        let leases = self.by_quota.read();
        of_same_owner(&leases, of_owner).for_each(|lease| lease.note_change());
    }

    /// Notes that every key and client may have been changed now.
    pub fn note_change_of_all(&self) {
        self.by_quota
            .read()
            .values()
            .for_each(|lease| lease.note_change());
    }

    /// Has more units leased soon.
    pub fn request(&self, lease: &Arc<Lease>) {
        self.request_in(lease, Duration::ZERO);
    }

    /// Has more units leased after a pause. Who asks for the same lease meanwhile waits, too.
    pub fn request_in(&self, lease: &Arc<Lease>, pause: Duration) {
        if !lease.enqueue() {
            return;
        }
        let lease = Arc::clone(lease);
        let mut queue = self.queue.lock();
        if pause.is_zero() {
            queue.now.push_back(lease);
        } else {
            let at = (Instant::now() + pause, self.next_revision());
            queue.later.insert(at, lease);
        }
        drop(queue);
        self.queued.notify_one();
    }

    /// Has the units of a quota given back that this process does not spend: another one needs them.
    pub fn recall(&self, id: &LimitId, now: Moment) {
        if let Some(lease) = self.find(id)
            && lease.recall(now)
        {
            self.request(&lease);
        }
    }

    /// Has units leased for a request that costs as many.
    ///
    /// # Errors
    /// [`Error::Overloaded`] if too many requests wait already.
    pub fn wait(&self, lease: &Arc<Lease>, cost: u32) -> Result<Wait<'_>, Error> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::OVERLOADED);
        }
        let wait = Wait {
            answer: lease.wait(cost),
            waiting: &self.waiting,
        };
        self.request(lease);
        Ok(wait)
    }

    /// Those to ask for next, with one statement.
    pub fn next_batch(&self) -> Vec<Arc<Lease>> {
        let mut queue = self.queue.lock();
        let at = Instant::now();
        while let Some(first) = queue.later.first_entry()
            && first.key().0 <= at
        {
            let lease = first.remove();
            queue.now.push_back(lease);
        }
        let count = queue.now.len().min(BATCH_MAX);
        queue.now.drain(..count).collect()
    }

    /// When the pause of the first one ends that is left alone.
    pub fn next_later(&self) -> Option<Instant> {
        let queue = self.queue.lock();
        queue.later.first_key_value().map(|((at, _), _)| *at)
    }

    /// Those of which the database should be told something, in batches. `idle` is the time after which unused units are
    /// given back.
    pub fn due(&self, idle: Duration, now: Moment) -> Vec<(Purpose, Vec<Arc<Lease>>)> {
        let (mut returns, mut reports) = (Vec::new(), Vec::new());
        for lease in self.by_quota.read().values() {
            match lease.is_due(idle, now) {
                Some(Purpose::Return) => returns.push(Arc::clone(lease)),
                Some(Purpose::Report) => reports.push(Arc::clone(lease)),
                Some(Purpose::Lease) => self.request(lease),
                None => {}
            }
        }
        let of = |purpose, leases: &[Arc<Lease>]| {
            let batches = leases.chunks(BATCH_MAX);
            batches
                .map(|batch| (purpose, batch.to_vec()))
                .collect::<Vec<_>>()
        };
        [of(Purpose::Return, &returns), of(Purpose::Report, &reports)].concat()
    }

    /// Those that hold something, or of which the database does not know what was spent, in batches.
    pub fn held_or_unreported(&self, now: Moment) -> Vec<Vec<Arc<Lease>>> {
        let leases = self.by_quota.read();
        let held = leases.values().filter(|lease| lease.is_held(now));
        let held: Vec<_> = held.cloned().collect();
        held.chunks(BATCH_MAX).map(<[_]>::to_vec).collect()
    }

    /// Whether no unit is held and everything is reported.
    pub fn is_empty(&self, now: Moment) -> bool {
        !self
            .by_quota
            .read()
            .values()
            .any(|lease| lease.is_held(now))
    }

    /// Drops leases that hold nothing, unless a handle is held and may still charge them.
    pub fn sweep(&self, now: Moment) {
        self.by_quota.write().retain(|_, lease| {
            lease.forget_if_unused(now);
            Arc::strong_count(lease) > 1 || !lease.is_empty(now)
        });
    }

    /// The number of the next statement.
    pub fn next_revision(&self) -> i64 {
        self.revision.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The number of quotas of which this process holds units.
    pub fn held(&self, now: Moment) -> usize {
        let leases = self.by_quota.read();
        leases
            .values()
            .filter(|lease| lease.unspent(now) > 0)
            .count()
    }
}
