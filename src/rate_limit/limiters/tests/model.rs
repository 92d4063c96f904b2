//! Against a model that keeps the used requests as a number and lets them return.

use proptest::prelude::*;

use super::*;

/// One rule; all in nanoseconds and whole requests.
struct Model {
    limit: u64,
    period: u64,
    /// Nanoseconds of refill that are still owed.
    owed: u64,
}

impl Model {
    fn new(rule: Rule) -> Self {
        let limit = u64::from(rule.limit.get());
        let period = u64::try_from(rule.window.as_nanos()).unwrap() / limit;
        Self {
            limit,
            period,
            owed: 0,
        }
    }

    fn advance(&mut self, nanos: u64) {
        self.owed = self.owed.saturating_sub(nanos);
    }

    fn remaining(&self) -> u64 {
        self.limit - self.owed.div_ceil(self.period)
    }

    fn check(&mut self, cost: u64) -> bool {
        let allowed = cost <= self.remaining();
        if allowed {
            self.owed += cost * self.period;
        }
        allowed
    }
}

fn parts(decision: Decision) -> (bool, RateLimit, Option<u64>) {
    match decision {
        Decision::Allowed(left) => (true, left, None),
        Decision::Refused {
            rate_limit,
            retry_after_ms,
        } => (false, rate_limit, retry_after_ms),
    }
}

proptest! {
    #[test]
    fn decides_as_the_model(
        limit in 1_u32..50,
        window_ms in 1_u64..100_000,
        steps in prop::collection::vec((0_u64..10_000_000_000, 1_u32..60), 1..100),
    ) {
        let rule = rule(limit, Duration::from_millis(window_ms));
        let (clock, limits) = limits();
        let mut model = Model::new(rule);
        for (pause, weight) in steps {
            clock.advance(Duration::from_nanos(pause));
            model.advance(pause);
            let (allowed, left, retry) = parts(check(&limits, "key", rule, cost(weight)));
            prop_assert_eq!(allowed, model.check(weight.into()));
            prop_assert_eq!(u64::from(left.remaining), model.remaining());
            prop_assert_eq!(left.reset_ms, model.owed.div_ceil(1_000_000));
            prop_assert_eq!(retry.is_some(), !allowed && weight <= limit);
        }
    }

    /// Without time passing, whatever rules are seen in whatever order: as much is used as passed,
    /// and a request passes when it fits into its own rule.
    #[test]
    fn whatever_the_rules_a_request_passes_when_it_fits(
        steps in prop::collection::vec((1_u32..1_000, 1_u64..100_000, 1_u32..50), 1..200),
    ) {
        let (_clock, limits) = limits();
        let mut used = 0;
        for (limit, window, weight) in steps {
            let rule = rule(limit, Duration::from_secs(window));
            let (allowed, left, _) = parts(check(&limits, "key", rule, cost(weight)));
            prop_assert_eq!(allowed, used + weight <= limit);
            used += if allowed { weight } else { 0 };
            prop_assert_eq!(left.remaining, limit.saturating_sub(used));
        }
    }
}
