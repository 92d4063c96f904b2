//! Settles what a limit was charged: gives units back, or charges more.

use std::sync::atomic::Ordering;

use governor::clock::Clock;

use super::limiter::Limiter;
use super::refunds::PastCharge;
use super::rule::saturating;

impl<C: Clock> Limiter<C> {
    /// Gives back units that were charged a while ago, as far as they have not become available again. What was charged before a
    /// reset or by another rule is not given back.
    pub fn refund(&self, generation: i32, units: u32, charge: &PastCharge) {
        let cell = self.cell.read();
        let now = self.timeline.now();
        let charged_at = now.saturating_sub(saturating(charge.age.as_nanos()));
        if cell.rule().generation != generation || charged_at < cell.changed_at() {
            return;
        }
        let mut refunds = self.refunds.lock();
        let refunds = refunds.get_or_insert_default();
        let left = charge.reset.saturating_sub(charge.age).as_nanos();
        let left = saturating(left).saturating_sub(refunds.since(charge.number));
        let (debt, refunded) = cell.refund(units, left, now);
        if debt > 0 {
            refunds.add(charge, debt);
        }
        // Below zero: what others know of it already stands for what this process will be charged next.
        self.unshared.fetch_sub(refunded, Ordering::Relaxed);
    }

    /// Charges units of a request that has been answered already: as many as are left.
    pub fn charge_up_to(&self, generation: i32, units: u32) {
        let cell = self.cell.read();
        if cell.rule().generation == generation {
            let charged = cell.charge_up_to(units, self.timeline.now());
            self.unshared.fetch_add(charged, Ordering::Relaxed);
        }
    }
}
