//! What was used of limits, on its way to the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{CostBatch, LimitCost, LimitId};

/// The costs that are being stored. After a fault they are kept for the next flush. A batch whose outcome is unknown is
/// sent again unchanged. Bounded by the number of limits.
#[derive(Debug, Default)]
pub(super) struct CostsInFlight {
    due: BTreeMap<LimitId, LimitCost>,
    batch: Arc<CostBatch>,
    /// Halves of batches that the database rejected.
    parts: Vec<Vec<(LimitId, LimitCost)>>,
}

impl CostsInFlight {
    /// Bounded by what a statement can store in time.
    const BATCH_MAX: usize = 1_000;

    pub(super) fn add(&mut self, costs: Vec<(LimitId, LimitCost)>) {
        for (limit_id, cost) in costs {
            self.due
                .entry(limit_id)
                .and_modify(|sum| sum.add(cost))
                .or_insert(cost);
        }
    }

    /// The next batch to store; `None` once all are stored.
    pub(super) fn next_batch(&mut self) -> Option<Arc<CostBatch>> {
        if self.batch.costs.is_empty() {
            let costs = self.parts.pop().unwrap_or_else(|| self.next_due());
            let number = self.batch.number + i64::from(!costs.is_empty());
            self.batch = Arc::new(CostBatch { number, costs });
        }
        (!self.batch.costs.is_empty()).then(|| Arc::clone(&self.batch))
    }

    fn next_due(&mut self) -> Vec<(LimitId, LimitCost)> {
        let mut costs = Vec::new();
        while costs.len() < Self::BATCH_MAX
            && let Some(cost) = self.due.pop_first()
        {
            costs.push(cost);
        }
        costs
    }

    /// Takes back a batch that the database rejected. It is stored in halves, until the limit that cannot be stored is alone:
    /// its cost is dropped, since each process counts by itself then, and returned.
    pub(super) fn rejected(&mut self) -> Option<LimitId> {
        let mut costs = self.batch.costs.clone();
        self.stored();
        let half = costs.split_off(costs.len() / 2);
        if costs.is_empty() {
            return half.into_iter().next().map(|(limit_id, _)| limit_id);
        }
        self.parts.extend([half, costs]);
        None
    }

    pub(super) fn stored(&mut self) {
        let number = self.batch.number;
        let costs = Vec::new();
        self.batch = Arc::new(CostBatch { number, costs });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(cost: i64, generation: i32) -> LimitCost {
        LimitCost { cost, generation }
    }

    fn id(name: usize) -> LimitId {
        LimitId::of_key(&format!("{name:05}"), "default")
    }

    #[test]
    fn a_batch_stays_as_it_is_until_it_is_stored() {
        let mut costs = CostsInFlight::default();
        assert!(costs.next_batch().is_none());
        costs.add(vec![(id(1), cost(1, 0))]);
        let first = costs.next_batch().unwrap();
        costs.add(vec![(id(1), cost(2, 0)), (id(1), cost(3, 0))]);
        assert_eq!(costs.next_batch().unwrap().costs, first.costs);
        costs.stored();
        let second = costs.next_batch().unwrap();
        assert_eq!(second.number, first.number + 1);
        assert_eq!(second.costs, [(id(1), cost(5, 0))]);
        costs.stored();
        assert!(costs.next_batch().is_none());
    }

    #[test]
    fn costs_before_a_reset_are_dropped() {
        let mut costs = CostsInFlight::default();
        costs.add(vec![(id(1), cost(7, 0)), (id(1), cost(1, 1))]);
        costs.add(vec![(id(1), cost(5, 0))]);
        assert_eq!(costs.next_batch().unwrap().costs, [(id(1), cost(1, 1))]);
    }

    #[test]
    fn only_the_limit_that_cannot_be_stored_is_dropped() {
        let mut costs = CostsInFlight::default();
        costs.add((0..100).map(|n| (id(n), cost(1, 0))).collect());
        let (mut stored, mut dropped, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(batch) = costs.next_batch() {
            numbers.push(batch.number);
            if batch.costs.iter().any(|(limit_id, _)| *limit_id == id(42)) {
                dropped.extend(costs.rejected());
            } else {
                stored.extend(batch.costs.iter().cloned());
                costs.stored();
            }
        }
        assert_eq!(dropped, [id(42)]);
        assert_eq!(stored.len(), 99);
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    }

    #[test]
    fn batches_are_bounded() {
        let mut costs = CostsInFlight::default();
        costs.add((0..2_500).map(|n| (id(n), cost(1, 0))).collect());
        let mut sizes = Vec::new();
        while let Some(batch) = costs.next_batch() {
            sizes.push(batch.costs.len());
            costs.stored();
        }
        assert_eq!(sizes, [1_000, 1_000, 500]);
    }
}
