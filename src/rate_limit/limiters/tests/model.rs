//! Compares with a model that counts used requests and refills them over time.

use proptest::prelude::*;

use super::*;

/// One rule, in nanoseconds and whole requests.
struct Model {
    limit: u64,
    emission_interval: u64,
    /// The debt: nanoseconds of refill until the limit is full again.
    debt: u64,
}

impl Model {
    fn new(rule: Rule) -> Self {
        let limit = u64::from(rule.limit.get());
        let emission_interval = u64::try_from(rule.window.as_nanos()).unwrap() / limit;
        Self {
            limit,
            emission_interval,
            debt: 0,
        }
    }

    fn advance(&mut self, nanos: u64) {
        self.debt = self.debt.saturating_sub(nanos);
    }

    fn remaining(&self) -> u64 {
        self.limit - self.debt.div_ceil(self.emission_interval)
    }

    fn check(&mut self, cost: u64) -> bool {
        let allowed = cost <= self.remaining();
        if allowed {
            self.debt += cost * self.emission_interval;
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
            prop_assert_eq!(left.reset_ms, model.debt.div_ceil(1_000_000));
            prop_assert_eq!(retry.is_some(), !allowed && weight <= limit);
        }
    }

    /// Without time passing, whichever rules are seen in whichever order: every request that passes is counted as used,
    /// and a request passes if it fits into its own rule.
    #[test]
    fn a_request_passes_if_it_fits_whatever_the_rules(
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
