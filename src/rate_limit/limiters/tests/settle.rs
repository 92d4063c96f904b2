//! Charges that are settled, against what would have been charged had their costs been known at once.

use proptest::prelude::*;

use super::*;
use crate::rate_limit::PastCharge;

/// What happened: a charge so many milliseconds after the last step, or the settlement of one of the charges so far.
#[derive(Debug, Clone)]
enum Step {
    Charge { after: u64, cost: u32 },
    Settle { after: u64, which: usize, cost: u32 },
}

/// A charge, at this time, and what it has really cost.
struct Charged {
    at: Duration,
    reset: Duration,
    cost: u32,
    actual: u32,
    is_settled: bool,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3_000u64, 1..=20u32).prop_map(|(after, cost)| Step::Charge { after, cost }),
        (0..3_000u64, any::<usize>(), 0..=20u32).prop_map(|(after, which, cost)| Step::Settle {
            after,
            which,
            cost
        }),
    ]
}

/// The debt, in milliseconds, if each had been charged what it has really cost, at its time.
fn in_hindsight(charges: &[Charged], interval: Duration, now: Duration) -> u128 {
    let arrival = charges.iter().fold(Duration::ZERO, |arrival, charge| {
        arrival.max(charge.at) + interval * charge.actual
    });
    arrival.saturating_sub(now).as_millis()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_limit_is_given_back_more_than_is_missing(steps in prop::collection::vec(step(), 1..40)) {
        let (clock, limits) = limits();
        let rule = rule(20, Duration::from_secs(10));
        let interval = Duration::from_millis(500);
        let limiter = limits.entry(&id("key"), rule);
        let (mut now, mut charges) = (Duration::ZERO, Vec::<Charged>::new());
        for step in steps {
            let (Step::Charge { after, .. } | Step::Settle { after, .. }) = step;
            let after = Duration::from_millis(after);
            clock.advance(after);
            now += after;
            match step {
                Step::Charge { cost: units, .. } => {
                    if let Decision::Allowed(state) = limiter.charge(rule, cost(units)) {
                        let reset = Duration::from_millis(state.reset_ms);
                        charges.push(Charged { at: now, reset, cost: units, actual: units, is_settled: false });
                    }
                }
                Step::Settle { which, cost, .. } if !charges.is_empty() => {
                    let number = which % charges.len();
                    let next = u64::try_from(charges.len()).unwrap();
                    let charge = &mut charges[number];
                    if cost <= charge.cost && !charge.is_settled {
                        charge.is_settled = true;
                        charge.actual = cost;
                        limiter.refund(0, charge.cost - cost, &PastCharge {
                            number: u64::try_from(number).unwrap(),
                            next,
                            age: now.saturating_sub(charge.at),
                            reset: charge.reset,
                        });
                    }
                }
                Step::Settle { .. } => {}
            }
            let debt = u128::from(limiter.state(rule).reset_ms);
            prop_assert!(debt >= in_hindsight(&charges, interval, now));
        }
    }
}

#[test]
fn concurrent_charges_are_given_back_in_any_order() {
    let (clock, limits) = limits();
    let rule = rule(100, MINUTE);
    let limiter = limits.entry(&id("key"), rule);
    let resets: Vec<Duration> = (0..10)
        .map(|_| match limiter.charge(rule, cost(10)) {
            Decision::Allowed(state) => Duration::from_millis(state.reset_ms),
            refused @ Decision::Refused { .. } => panic!("{refused:?}"),
        })
        .collect();
    for (settled, number) in [7, 0, 9, 3, 1, 8, 2, 6, 4, 5].into_iter().enumerate() {
        let charge = PastCharge {
            number,
            next: 10,
            age: Duration::ZERO,
            reset: resets[usize::try_from(number).unwrap()],
        };
        limiter.refund(0, 8, &charge);
        let remaining = limiter.state(rule).remaining;
        assert_eq!(remaining, 8 * (u32::try_from(settled).unwrap() + 1));
    }
    clock.advance(Duration::from_secs(12));
    assert_eq!(limiter.state(rule).remaining, 100);
}

#[test]
fn what_was_charged_by_another_rule_is_not_given_back() {
    let (clock, limits) = limits();
    let limiter = limits.entry(&id("key"), rule(10, MINUTE));
    limiter.charge(rule(10, MINUTE), cost(10));
    clock.advance(Duration::from_secs(1));
    assert!(matches!(
        limiter.charge(rule(40, MINUTE), cost(20)),
        Decision::Allowed(_)
    ));
    let before = limiter.state(rule(40, MINUTE));
    clock.advance(Duration::from_millis(1));
    let charge = PastCharge {
        number: 0,
        next: 2,
        age: Duration::from_millis(1_001),
        reset: MINUTE,
    };
    limiter.refund(0, 10, &charge);
    assert_eq!(limiter.state(rule(40, MINUTE)).remaining, before.remaining);
}

#[test]
fn what_is_given_back_after_others_were_told_of_it_stands_for_later_use() {
    let (clock, limits) = limits();
    let rule = rule(1_000, MINUTE);
    let limiter = limits.entry(&id("key"), rule);
    let mut told = 0;
    let mut flush = || {
        let costs = limits.take_unshared(true);
        told += costs.iter().map(|(_, cost)| cost.cost).sum::<i64>();
        told
    };
    for round in 1..=3 {
        let Decision::Allowed(state) = limiter.check(rule, cost(300)) else {
            panic!("refused");
        };
        // The first one, and of the others what is beyond what was given back.
        assert_eq!(flush(), 300 + 50 * (round - 1));
        clock.advance(Duration::from_millis(60));
        limiter.refund(
            0,
            250,
            &PastCharge {
                number: u64::try_from(round).unwrap(),
                next: u64::try_from(round).unwrap() + 1,
                age: Duration::from_millis(60),
                reset: Duration::from_millis(state.reset_ms),
            },
        );
    }
    // Once it would be available again anyway, it stands for nothing.
    clock.advance(MINUTE);
    assert_eq!(flush(), 400);
    assert!(matches!(
        limiter.check(rule, cost(10)),
        Decision::Allowed(_)
    ));
    assert_eq!(flush(), 410);
}
