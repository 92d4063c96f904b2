//! What a limit was given back lately.

use std::time::Duration;

/// The most refunds that are kept apart.
const REFUNDS_MAX: usize = 64;

/// A charge of a limit that is settled now.
#[derive(Debug, Clone, Copy)]
pub struct PastCharge {
    /// Its number: later charges have higher ones.
    pub number: u64,
    /// The number of the next charge.
    pub next: u64,
    /// The time since it was charged.
    pub age: Duration,
    /// The time from the charge until the limit would have been full again.
    pub reset: Duration,
}

/// The refunds of one limit. Each of them makes what was charged later available again earlier.
#[derive(Default)]
pub(super) struct Refunds(Vec<Refund>);

/// In the order in which they were given.
struct Refund {
    /// The number of the charge.
    charged: u64,
    /// The number of the first charge after the refund.
    next: u64,
    debt: u64,
}

impl Refunds {
    /// The debt, in nanoseconds, by which a charge is available again earlier than it was when it was made.
    pub(super) fn since(&self, charge: u64) -> u64 {
        let moved = |refund: &&Refund| refund.charged < charge && charge < refund.next;
        self.0.iter().filter(moved).map(|refund| refund.debt).sum()
    }

    pub(super) fn add(&mut self, charge: &PastCharge, debt: u64) {
        if self.0.len() >= REFUNDS_MAX {
            // As one, the first two count for no fewer charges than before.
            let first = self.0.remove(0);
            let second = &mut self.0[0];
            second.charged = second.charged.min(first.charged);
            second.debt = second.debt.saturating_add(first.debt);
        }
        self.0.push(Refund {
            charged: charge.number,
            next: charge.next,
            debt,
        });
    }
}
