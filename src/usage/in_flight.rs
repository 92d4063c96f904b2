//! The usage on its way to the database.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use super::counter::{UseCounter, uses};
use crate::model::{KeyUse, UsageBatch};

/// A part of a batch. Costs are stored apart from uses and before them, so that processes share limits even where a row
/// cannot be written.
pub enum FlushStep {
    Costs(Arc<UsageBatch>),
    Uses(Arc<UsageBatch>),
}

/// The usage that is being stored. After a fault it is kept for the next flush.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// A batch whose outcome is unknown is sent again unchanged.
    batch: Arc<UsageBatch>,
    /// Later batches whose costs are stored: halves of rejected ones, and keys to be tried again.
    parts: Vec<Vec<(String, KeyUse)>>,
    /// Counters for later batches.
    due: VecDeque<Arc<UseCounter>>,
    /// The uses of keys whose rows cannot be written, bounded by the number of keys that the caller sets aside.
    set_aside: BTreeMap<String, KeyUse>,
}

impl InFlight {
    /// Bounded by what a statement can store in time: a batch that is too large would never be stored.
    const BATCH_MAX: usize = 1_000;

    /// Adds counters whose uses are to be stored.
    pub(super) fn add(&mut self, counted: Vec<Arc<UseCounter>>) {
        self.due.extend(counted);
    }

    pub(super) fn is_set_aside(&self, key_id: &str) -> bool {
        self.set_aside.contains_key(key_id)
    }

    pub(super) fn next_step(&mut self) -> Option<FlushStep> {
        while self.fill() {
            if self.batch.has_costs() {
                return Some(FlushStep::Costs(Arc::clone(&self.batch)));
            }
            self.leave_out_set_aside();
            if !self.batch.is_empty() {
                return Some(FlushStep::Uses(Arc::clone(&self.batch)));
            }
        }
        None
    }

    /// Fills the next batch if there is none. Returns whether there is one now.
    fn fill(&mut self) -> bool {
        if self.batch.is_empty() {
            let uses = self.parts.pop().unwrap_or_else(|| self.take_due());
            self.begin_batch(self.batch.number + 1, uses);
        }
        !self.batch.is_empty()
    }

    fn begin_batch(&mut self, number: i64, uses: Vec<(String, KeyUse)>) {
        self.batch = Arc::new(UsageBatch { number, uses });
    }

    /// Empties the batch and returns what it held.
    fn take_batch(&mut self) -> Vec<(String, KeyUse)> {
        let uses = self.batch.uses.clone();
        self.begin_batch(self.batch.number, Vec::new());
        uses
    }

    /// The uses of the next counters. A key may have had several.
    fn take_due(&mut self) -> Vec<(String, KeyUse)> {
        let mut uses = BTreeMap::new();
        for counter in self.due.drain(..self.due.len().min(Self::BATCH_MAX)) {
            add(&mut uses, counter.key_id().to_owned(), counter.take());
        }
        uses.into_iter().collect()
    }

    /// Tries keys that were set aside again, each alone, after what was not tried yet.
    pub(super) fn try_again(&mut self, is_due: impl Fn(&str) -> bool) {
        let mut parts = Vec::new();
        self.set_aside.retain(|key_id, counted| {
            let tries = is_due(key_id);
            if tries {
                parts.push(vec![(key_id.clone(), *counted)]);
            }
            !tries
        });
        parts.append(&mut self.parts);
        self.parts = parts;
    }

    /// Keeps a batch that is sent for the first time free of keys that are set aside.
    fn leave_out_set_aside(&mut self) {
        let is_set_aside = |(key_id, _): &(String, KeyUse)| self.set_aside.contains_key(key_id);
        if self.batch.uses.iter().any(is_set_aside) {
            let (kept, uses): (Vec<_>, _) = self.batch.uses.iter().cloned().partition(is_set_aside);
            for (key_id, counted) in kept {
                add(&mut self.set_aside, key_id, counted);
            }
            self.begin_batch(self.batch.number, uses);
        }
    }

    pub(super) fn costs_stored(&mut self) {
        let mut uses = self.take_batch();
        for (_, counted) in &mut uses {
            counted.cost = 0;
        }
        self.begin_batch(self.batch.number, uses);
    }

    pub(super) fn uses_stored(&mut self, skipped: &HashSet<String>) {
        let uses = self.take_batch().into_iter();
        let skipped = uses.filter(|(key_id, _)| skipped.contains(key_id));
        self.due
            .extend(skipped.map(|left_out| Arc::new(left_out.into())));
    }

    pub(super) fn uses_rejected(&mut self) -> Option<String> {
        let mut uses = self.take_batch();
        let half = uses.split_off(uses.len() / 2);
        if uses.is_empty() {
            let (key_id, counted) = half.into_iter().next()?;
            add(&mut self.set_aside, key_id.clone(), counted);
            return Some(key_id);
        }
        self.parts.extend([half, uses]);
        None
    }

    pub(super) fn uses(&self) -> i64 {
        let listed = self.parts.iter().chain([&self.batch.uses]).flatten();
        let listed = listed.map(|(_, counted)| counted.uses);
        let set_aside = self.set_aside.values().map(|counted| counted.uses);
        listed.chain(set_aside).sum::<i64>() + uses(&self.due)
    }
}

fn add(uses: &mut BTreeMap<String, KeyUse>, key_id: String, counted: KeyUse) {
    uses.entry(key_id)
        .and_modify(|sum| sum.add(counted))
        .or_insert(counted);
}
