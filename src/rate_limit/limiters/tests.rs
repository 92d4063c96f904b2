mod changes;
mod concurrent;
mod model;
mod processes;
mod settle;
mod sharing;

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::FakeRelativeClock;

use super::super::rule::Decision;
use super::super::rule::FleetUse;
use super::*;
use crate::model::RateLimit;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn id(key_id: &str) -> LimitId {
    LimitId::of_key(key_id, "default")
}

fn cost(cost: u32) -> NonZeroU32 {
    NonZeroU32::new(cost).unwrap()
}

fn rule(limit: u32, window: Duration) -> Rule {
    Rule {
        limit: cost(limit),
        window,
        generation: 0,
    }
}

/// The same rule after this many resets.
fn with_generation(rule: Rule, generation: i32) -> Rule {
    Rule { generation, ..rule }
}

/// What a flush does with the limiters of a process: it tells the others of all costs, and then sweeps.
fn flush(limits: &Limiters<impl Clock>) -> Vec<LimitId> {
    limits.take_unshared(true);
    limits.sweep()
}

fn check(limits: &Limiters<impl Clock>, key: &str, rule: Rule, cost: NonZeroU32) -> Decision {
    limits.entry(&id(key), rule).check(rule, cost)
}

fn limits() -> (FakeRelativeClock, Limiters<FakeRelativeClock>) {
    let clock = FakeRelativeClock::default();
    (clock.clone(), Limiters::new(clock))
}

/// The number of `tries` requests that are allowed.
fn allowed(limits: &Limiters<impl Clock>, rule: Rule, tries: u32) -> u32 {
    let one = || matches!(check(limits, "key", rule, cost(1)), Decision::Allowed(_));
    (0..tries).map(|_| u32::from(one())).sum()
}

#[test]
fn counts_down_to_a_refusal_with_a_retry_time() {
    let (clock, limits) = limits();
    let three = rule(3, MINUTE);
    for (remaining, reset_ms) in [(2, 20_000), (1, 40_000), (0, 60_000)] {
        let left = RateLimit {
            limit: 3,
            remaining,
            reset_ms,
            window_seconds: 60,
        };
        assert_eq!(
            check(&limits, "key", three, cost(1)),
            Decision::Allowed(left)
        );
    }
    let refused = |reset_ms, wait| Decision::Refused {
        rate_limit: RateLimit {
            limit: 3,
            remaining: 0,
            reset_ms,
            window_seconds: 60,
        },
        retry_after_ms: Some(wait),
    };
    assert_eq!(
        check(&limits, "key", three, cost(1)),
        refused(60_000, 20_000)
    );
    clock.advance(Duration::from_nanos(1));
    assert_eq!(
        check(&limits, "key", three, cost(1)),
        refused(60_000, 20_000),
        "rounded up"
    );
    clock.advance(Duration::from_millis(19_999));
    assert_eq!(check(&limits, "key", three, cost(1)), refused(40_001, 1));
    clock.advance(Duration::from_millis(1));
    assert_eq!(allowed(&limits, three, 5), 1);
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, three, 5), 3);
    clock.advance(100 * DAY);
    assert_eq!(allowed(&limits, three, 5), 3);
}

#[test]
fn keys_do_not_share() {
    let (_clock, limits) = limits();
    let one = rule(1, DAY);
    for key in ["a", "b", ""] {
        assert!(matches!(
            check(&limits, key, one, cost(1)),
            Decision::Allowed(_)
        ));
        assert!(matches!(
            check(&limits, key, one, cost(1)),
            Decision::Refused { .. }
        ));
    }
    assert_eq!(limits.len(), 3);
}

#[test]
fn the_retry_time_is_enough_and_a_millisecond_less_is_not() {
    for (limit, window) in [(1, 1), (7, 1), (7, 60), (100, 60), (999, 86_400)] {
        for weight in [1, limit.min(3), limit] {
            let (clock, limits) = limits();
            let rule = rule(limit, Duration::from_secs(window));
            assert_eq!(allowed(&limits, rule, limit), limit);
            let wait = |decision| match decision {
                Decision::Refused {
                    retry_after_ms: Some(wait),
                    ..
                } => wait,
                other => panic!("{other:?}"),
            };
            let first = wait(check(&limits, "key", rule, cost(weight)));
            clock.advance(Duration::from_millis(first - 1));
            assert_eq!(wait(check(&limits, "key", rule, cost(weight))), 1);
            clock.advance(Duration::from_millis(1));
            let last = check(&limits, "key", rule, cost(weight));
            assert!(matches!(last, Decision::Allowed(_)), "{last:?}");
        }
    }
}

#[test]
fn a_cost_counts_as_that_many_requests() {
    let (_clock, limits) = limits();
    let ten = rule(10, DAY);
    let left = |remaining, reset_ms| RateLimit {
        limit: 10,
        remaining,
        reset_ms,
        window_seconds: 86_400,
    };
    assert_eq!(
        check(&limits, "key", ten, cost(7)),
        Decision::Allowed(left(3, 60_480_000))
    );
    let refused = Decision::Refused {
        rate_limit: left(3, 60_480_000),
        retry_after_ms: Some(8_640_000),
    };
    assert_eq!(check(&limits, "key", ten, cost(4)), refused);
    let never = Decision::Refused {
        rate_limit: left(3, 60_480_000),
        retry_after_ms: None,
    };
    assert_eq!(check(&limits, "key", ten, cost(11)), never);
    assert_eq!(check(&limits, "key", ten, cost(u32::MAX)), never);
    assert_eq!(
        check(&limits, "key", ten, cost(3)),
        Decision::Allowed(left(0, 86_400_000))
    );
}

/// The cost times the emission interval exceeds 64 bits here.
#[test]
fn a_huge_cost_is_refused() {
    for limit in [1, 2, 3, 1_000] {
        let (_clock, limits) = limits();
        let rule = rule(limit, DAY);
        assert_eq!(allowed(&limits, rule, 1), 1);
        for huge in (limit + 1..=1_000_000).chain([u32::MAX]) {
            let decision = check(&limits, "key", rule, cost(huge));
            let never = matches!(
                decision,
                Decision::Refused {
                    retry_after_ms: None,
                    ..
                }
            );
            assert!(never, "{huge} of {limit}: {decision:?}");
        }
    }
}

/// Evenly 99 % of the limit, for an hour and at least ten windows. More than 200,000 requests are sent as fewer that
/// cost more.
#[test]
fn steady_traffic_below_the_limit_is_never_refused() {
    for limit in [1, 7, 100, 1_000_000_u32] {
        for window in [Duration::from_secs(1), MINUTE, DAY] {
            let (clock, limits) = limits();
            let simulated = Duration::from_secs(3_600).max(10 * window);
            let requests = u64::from(limit) * simulated.as_secs() / window.as_secs();
            let weight = u32::try_from(requests.div_ceil(200_000)).unwrap();
            let pause = window.mul_f64(f64::from(weight) / (f64::from(limit) * 0.99));
            let mut elapsed = Duration::ZERO;
            while elapsed < simulated {
                let decision = check(&limits, "key", rule(limit, window), cost(weight));
                assert!(
                    matches!(decision, Decision::Allowed(_)),
                    "{limit}/{window:?}: {decision:?}"
                );
                clock.advance(pause);
                elapsed += pause;
            }
        }
    }
}

#[test]
fn a_change_of_the_rule_counts_from_the_last_change_since_the_row_was_read() {
    let (clock, limits) = limits();
    let (before, after) = (rule(60, MINUTE), rule(120, MINUTE));
    assert_eq!(allowed(&limits, before, 1), 1);
    // Of something else than the rule: the row is read again, and has the same one.
    limits.note_change(&id("key"));
    limits.note_read(&id("key"), before);
    clock.advance(MINUTE * 5);
    assert_eq!(allowed(&limits, before, 100), 60);
    // Before this change is heard of.
    assert_eq!(allowed(&limits, after, 200), 60);
}

#[test]
fn a_reset_frees_the_limit_also_for_held_handles() {
    let (_clock, limits) = limits();
    let five = rule(5, DAY);
    let handle = limits.entry(&id("key"), five);
    assert_eq!(allowed(&limits, five, 9), 5);
    assert!(matches!(
        handle.check(five, cost(1)),
        Decision::Refused { .. }
    ));
    let five = with_generation(five, 1);
    assert!(matches!(handle.check(five, cost(1)), Decision::Allowed(_)));
    assert_eq!(allowed(&limits, five, 9), 4);
    assert_eq!(
        allowed(&limits, with_generation(five, 0), 9),
        0,
        "it happened"
    );
    assert_eq!(allowed(&limits, five, 9), 0);
}

#[test]
fn a_reset_clears_a_surplus() {
    let (_clock, limits) = limits();
    allowed(&limits, rule(100, DAY), 100);
    allowed(&limits, rule(10, DAY), 1);
    assert_eq!(
        allowed(&limits, with_generation(rule(100, DAY), 1), 500),
        100
    );
}

#[test]
fn a_sweep_drops_only_limiters_that_are_full_again() {
    let (clock, limits) = limits();
    let two = rule(2, MINUTE);
    for number in 0..1_000 {
        check(&limits, &format!("early {number}"), two, cost(2));
    }
    clock.advance(MINUTE / 2);
    for number in 0..10 {
        check(&limits, &format!("late {number}"), two, cost(2));
    }
    flush(&limits);
    assert_eq!(limits.len(), 1_010);
    clock.advance(MINUTE / 2);
    let held = limits.entry(&id("early 0"), two);
    flush(&limits);
    assert_eq!(limits.len(), 11, "ten that are used and one that is held");
    assert!(matches!(
        check(&limits, "late 0", two, cost(2)),
        Decision::Refused { .. }
    ));
    held.check(two, cost(2));
    drop(held);
    flush(&limits);
    assert!(matches!(
        check(&limits, "early 0", two, cost(2)),
        Decision::Refused { .. }
    ));
    clock.advance(MINUTE);
    flush(&limits);
    assert!(limits.is_empty());
}

#[test]
fn a_sweep_keeps_what_the_others_do_not_know() {
    let (clock, limits) = limits();
    let two = rule(2, MINUTE);
    check(&limits, "key", two, cost(2));
    clock.advance(MINUTE);
    limits.sweep();
    let two_units = LimitCost {
        cost: 2,
        generation: 0,
    };
    assert_eq!(limits.take_unshared(true), [(id("key"), two_units)]);
    assert_eq!(limits.take_unshared(true), []);
    limits.sweep();
    assert!(limits.is_empty());
}

#[test]
fn a_reset_forgets_what_the_others_do_not_know() {
    let (_clock, limits) = limits();
    let two = rule(2, MINUTE);
    check(&limits, "key", two, cost(2));
    check(&limits, "key", with_generation(two, 1), cost(1));
    let one_unit = LimitCost {
        cost: 1,
        generation: 1,
    };
    assert_eq!(limits.take_unshared(true), [(id("key"), one_unit)]);
}

#[test]
fn a_change_is_noted_for_all_limits_of_an_owner_and_no_other() {
    let (clock, limits) = limits();
    let (slow, fast) = (rule(1, DAY), rule(1, MINUTE));
    let ids = [
        LimitId::of_key("a", "default"),
        LimitId::of_key("a", "tokens"),
        LimitId::of_key("a/b", "default"),
        LimitId::of_client("a", "default"),
    ];
    for id in &ids {
        limits.entry(id, slow).check(slow, cost(1));
    }
    clock.advance(Duration::from_secs(1));
    limits.note_change(&ids[0]);
    // By the faster rule all is available again a minute after the change, where it is known.
    clock.advance(MINUTE);
    let allowed = ids.map(|id| {
        let decision = limits.entry(&id, fast).check(fast, cost(1));
        matches!(decision, Decision::Allowed(_))
    });
    assert_eq!(allowed, [true, true, false, false]);
}

#[test]
fn a_sweep_keeps_a_surplus() {
    let (clock, limits) = limits();
    allowed(&limits, rule(100, DAY), 100);
    allowed(&limits, rule(10, DAY), 1);
    clock.advance(Duration::from_nanos(86_399_999_999_999));
    flush(&limits);
    assert_eq!(limits.len(), 1);
    clock.advance(Duration::from_nanos(1));
    flush(&limits);
    assert_eq!(limits.len(), 0);
}

#[test]
fn absurd_rules_do_not_overflow() {
    let (clock, limits) = limits();
    let mut generation = 0;
    for window in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        for limit in [1, u32::MAX] {
            generation += 1;
            let rule = with_generation(rule(limit, window), generation);
            let first = check(&limits, "key", rule, cost(limit));
            assert!(
                matches!(first, Decision::Allowed(RateLimit { remaining: 0, .. })),
                "{first:?}"
            );
            clock.advance(Duration::from_nanos(1));
            check(&limits, "key", rule, cost(1));
        }
    }
}

#[test]
fn refusals_are_counted_up_to_a_number_and_forgotten_after_a_window() {
    let (clock, limits) = limits();
    let rule = rule(1, MINUTE);
    let limiter = limits.entry(&id("key"), rule);
    let refused = |times| limiter.count_refusal(rule, times);
    assert!(refused(1));
    assert!(refused(1));
    assert_eq!(
        [0; 7].map(|_| refused(3)),
        [false, false, true, false, false, true, false]
    );
    clock.advance(MINUTE);
    assert!(!refused(3));
    clock.advance(MINUTE + Duration::from_nanos(1));
    assert_eq!([0; 3].map(|_| refused(3)), [false, false, true]);
}
