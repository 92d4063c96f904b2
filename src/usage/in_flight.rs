//! The usage on its way to the database.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::mem;
use std::ops::Bound;
use std::sync::Arc;

use super::counter::{UseCounter, uses};
use crate::model::{KeyUse, UsageBatch};

/// The uses that is being stored. After a fault it is kept for the next flush. A batch whose outcome is unknown is sent
/// again unchanged.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// Counters for later batches.
    due: VecDeque<Arc<UseCounter>>,
    /// The batch that is stored next.
    uses: Arc<UsageBatch>,
    /// Later batches, the next one last: halves of rejected ones.
    parts: Vec<Vec<(String, KeyUse)>>,
    /// The uses of keys whose rows cannot be written. No batch contains them but those of keys that are tried again.
    set_aside: BTreeMap<String, KeyUse>,
    /// The counts of keys that were set aside, which are stored without writing their rows.
    counts: Vec<(String, KeyUse)>,
    /// Those of the keys that are tried again, once everything else is stored.
    again: VecDeque<String>,
    /// How many of them are tried together: twice as many after each success, and each alone after a rejection.
    together: usize,
    /// Whether the batch of uses is one of them.
    is_again: bool,
    /// The last one that was tried again.
    tried: String,
}

impl InFlight {
    /// Bounded by what a statement can store in time: a batch that is too large would never be stored.
    const BATCH_MAX: usize = 1_000;
    /// The same for the counts of its keys.
    const COUNTS_MAX: usize = 2_000;

    /// Whether no counts wait in a batch.
    pub(super) fn has_no_counts(&self) -> bool {
        self.uses.is_empty() && self.parts.is_empty() && self.counts.is_empty()
    }

    /// Whether nothing is left to store.
    pub(super) fn is_empty(&self) -> bool {
        self.is_trying_again() && self.set_aside.is_empty()
    }

    /// Adds counters whose uses are to be stored.
    pub(super) fn add(&mut self, counted: Vec<Arc<UseCounter>>) {
        self.due.extend(counted);
    }

    pub(super) fn is_set_aside(&self, key_id: &str) -> bool {
        self.set_aside.contains_key(key_id)
    }

    /// The next batch to store; `None` once all are stored.
    pub(super) fn next_batch(&mut self) -> Option<Arc<UsageBatch>> {
        while self.fill_uses() {
            self.leave_out_set_aside();
            if !self.uses.is_empty() {
                return Some(Arc::clone(&self.uses));
            }
        }
        None
    }

    fn fill_uses(&mut self) -> bool {
        if self.uses.is_empty() {
            let part = self.parts.pop().or_else(|| self.take_due());
            let part = part.or_else(|| self.take_counts());
            self.is_again = part.is_none();
            if let Some(part) = part.or_else(|| self.next_again()) {
                next(&mut self.uses, part);
            }
        }
        !self.uses.is_empty()
    }

    /// The uses of the next counters. A key may have had several.
    fn take_due(&mut self) -> Option<Vec<(String, KeyUse)>> {
        let (mut uses, mut counts) = (BTreeMap::new(), 0);
        while uses.len() < Self::BATCH_MAX
            && counts < Self::COUNTS_MAX
            && let Some(counter) = self.due.pop_front()
        {
            let counted = counter.take();
            counts += counted.counts.len();
            add(&mut uses, counter.key_id().to_owned(), counted);
        }
        (!uses.is_empty()).then(|| uses.into_iter().collect())
    }

    /// The counts of keys that were set aside.
    fn take_counts(&mut self) -> Option<Vec<(String, KeyUse)>> {
        let count = self.counts.len().min(Self::BATCH_MAX);
        let counts: Vec<_> = self.counts.drain(..count).collect();
        (!counts.is_empty()).then_some(counts)
    }

    /// Takes the counts of a key that is set aside, to store them alone.
    fn take_counts_of(&mut self, key_id: &str, counted: &mut KeyUse) {
        if !counted.counts.is_empty() {
            let counts = counted.take_counts();
            self.counts.push((key_id.to_owned(), counts));
        }
    }

    /// Tries keys that were set aside again, beginning after the last one that was, since a flush may end before all are.
    pub(super) fn try_again(&mut self, is_due: impl Fn(&str) -> bool) {
        let due = |(key_id, _): (&String, _)| is_due(key_id).then(|| key_id.clone());
        let later = (Bound::Excluded(&*self.tried), Bound::Unbounded);
        let earlier = (Bound::Unbounded, Bound::Included(&*self.tried));
        let later = self.set_aside.range::<str, _>(later).filter_map(due);
        let earlier = self.set_aside.range::<str, _>(earlier).filter_map(due);
        self.again = later.chain(earlier).collect();
        self.together = 1;
    }

    /// The uses of the next keys that are tried again.
    fn next_again(&mut self) -> Option<Vec<(String, KeyUse)>> {
        let count = self.together.min(self.again.len());
        let keys: Vec<String> = self.again.drain(..count).collect();
        self.tried.clone_from(keys.last()?);
        let uses = |key_id| self.set_aside.remove_entry(key_id);
        Some(keys.iter().filter_map(uses).collect())
    }

    /// Sets keys aside again that were rejected together: each is tried alone.
    fn try_each(&mut self, uses: Vec<(String, KeyUse)>) {
        for (key_id, counted) in uses.into_iter().rev() {
            self.again.push_front(key_id.clone());
            add(&mut self.set_aside, key_id, counted);
        }
    }

    /// Whether everything is stored but what was set aside.
    pub(super) fn is_trying_again(&self) -> bool {
        self.has_no_counts() && self.due.is_empty()
    }

    /// Keeps a batch that is sent for the first time free of keys that are set aside.
    fn leave_out_set_aside(&mut self) {
        let is_set_aside = |(key_id, counted): &(String, KeyUse)| {
            counted.uses > 0 && self.set_aside.contains_key(key_id)
        };
        if self.uses.uses.iter().any(is_set_aside) {
            let (kept, uses): (Vec<_>, _) = self.uses.uses.iter().cloned().partition(is_set_aside);
            for (key_id, mut counted) in kept {
                self.take_counts_of(&key_id, &mut counted);
                add(&mut self.set_aside, key_id, counted);
            }
            refill(&mut self.uses, uses);
        }
    }

    pub(super) fn uses_stored(&mut self, skipped: &HashSet<String>) {
        if self.is_again {
            self.together = (2 * self.together).min(Self::BATCH_MAX);
        }
        let stored = refill(&mut self.uses, Vec::new());
        for (key_id, counted) in &stored.uses {
            if counted.uses > 0 && skipped.contains(key_id) {
                let mut counted = counted.clone();
                // The counts are stored: they need no row.
                counted.counts.clear();
                self.due
                    .push_back(Arc::new((key_id.clone(), counted).into()));
            }
        }
    }

    pub(super) fn uses_rejected(&mut self) -> Option<String> {
        let mut uses = refill(&mut self.uses, Vec::new()).uses.clone();
        if self.is_again {
            self.together = 1;
            if uses.len() > 1 {
                self.try_each(uses);
                return None;
            }
        }
        let half = uses.split_off(uses.len() / 2);
        if !uses.is_empty() {
            self.parts.extend([half, uses]);
            return None;
        }
        let (key_id, mut counted) = half.into_iter().next()?;
        // Without uses, it is the counts that are refused.
        if counted.uses > 0 {
            self.take_counts_of(&key_id, &mut counted);
        }
        add(&mut self.set_aside, key_id.clone(), counted);
        Some(key_id)
    }

    pub(super) fn uses(&self) -> i64 {
        let listed = self.parts.iter().chain([&self.uses.uses]).flatten();
        let listed = listed.map(|(_, counted)| counted.uses);
        let set_aside = self.set_aside.values().map(|counted| counted.uses);
        listed.chain(set_aside).sum::<i64>() + uses(&self.due)
    }
}

/// Begins the next batch.
fn next(batch: &mut Arc<UsageBatch>, uses: Vec<(String, KeyUse)>) {
    let number = batch.number + 1;
    *batch = Arc::new(UsageBatch { number, uses });
}

/// Replaces what the batch holds, and returns what it held.
fn refill(batch: &mut Arc<UsageBatch>, uses: Vec<(String, KeyUse)>) -> Arc<UsageBatch> {
    let number = batch.number;
    mem::replace(batch, Arc::new(UsageBatch { number, uses }))
}

fn add(uses: &mut BTreeMap<String, KeyUse>, key_id: String, counted: KeyUse) {
    match uses.entry(key_id) {
        Entry::Occupied(mut sum) => sum.get_mut().add(counted),
        Entry::Vacant(place) => {
            place.insert(counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CredentialUse, Timestamp, UsageCounts};

    fn key(n: usize) -> String {
        format!("{n:04}")
    }

    /// Tries keys again that were set aside, of which the database still rejects some. Returns the number of statements.
    fn try_all_again(in_flight: &mut InFlight, is_bad: impl Fn(&str) -> bool) -> usize {
        in_flight.try_again(|_| true);
        let mut statements = 0;
        while let Some(batch) = in_flight.next_batch() {
            statements += 1;
            if batch.uses.iter().any(|(key_id, _)| is_bad(key_id)) {
                in_flight.uses_rejected();
            } else {
                in_flight.uses_stored(&HashSet::new());
            }
        }
        statements
    }

    fn set_aside(count: usize) -> InFlight {
        let mut in_flight = InFlight::default();
        for n in 0..count {
            let counted = KeyUse {
                uses: 2,
                last_used: Timestamp::from_millis(0),
                credential: CredentialUse::default(),
                ip: None,
                counts: UsageCounts::new(),
            };
            add(&mut in_flight.set_aside, key(n), counted);
        }
        in_flight
    }

    #[test]
    fn keys_that_can_be_written_again_are_stored_together() {
        let mut in_flight = set_aside(1_000);
        assert!(try_all_again(&mut in_flight, |_| false) <= 10);
        assert_eq!(in_flight.uses(), 0);
    }

    #[test]
    fn keys_that_cannot_be_written_yet_stay_set_aside_and_hold_up_no_other() {
        for every in [1, 2, 3, 10, 100, 999] {
            let mut in_flight = set_aside(1_000);
            let bad: HashSet<String> = (0..1_000).step_by(every).map(key).collect();
            let statements = try_all_again(&mut in_flight, |key_id| bad.contains(key_id));
            assert!(statements <= 3 * 1_000, "{statements}");
            assert_eq!(in_flight.set_aside.len(), bad.len());
            assert!(
                in_flight
                    .set_aside
                    .keys()
                    .all(|key_id| bad.contains(key_id))
            );
            assert_eq!(in_flight.uses(), 2 * i64::try_from(bad.len()).unwrap());
        }
    }
}
