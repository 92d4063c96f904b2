//! Checks with a rule that differs from the last one.

use super::*;

#[test]
fn a_raised_limit_allows_the_difference() {
    let (_clock, limits) = limits();
    assert_eq!(allowed(&limits, rule(100, DAY), 500), 100);
    assert_eq!(allowed(&limits, rule(150, DAY), 500), 50);
    let next = check(&limits, "key", rule(200, DAY), cost(1));
    let left = RateLimit {
        limit: 200,
        remaining: 49,
        reset_ms: 151 * 432_000,
        window_seconds: 86_400,
    };
    assert_eq!(next, Decision::Allowed(left));
}

#[test]
fn a_lowered_limit_keeps_the_use_and_locks_out_for_at_most_its_window() {
    let (clock, limits) = limits();
    assert_eq!(allowed(&limits, rule(100, DAY), 50), 50);
    let Decision::Refused { rate_limit, .. } = check(&limits, "key", rule(10, DAY), cost(1)) else {
        panic!("allowed");
    };
    assert_eq!(
        rate_limit,
        RateLimit {
            limit: 10,
            remaining: 0,
            reset_ms: 86_400_000,
            window_seconds: 86_400,
        }
    );
    clock.advance(DAY);
    assert_eq!(allowed(&limits, rule(10, DAY), 50), 10);
}

#[test]
fn a_lower_limit_that_is_not_used_up_leaves_the_remainder() {
    let (_clock, limits) = limits();
    assert_eq!(allowed(&limits, rule(100, DAY), 5), 5);
    assert_eq!(allowed(&limits, rule(10, DAY), 50), 5);
}

#[test]
fn another_window_keeps_the_use() {
    let (clock, limits) = limits();
    assert_eq!(allowed(&limits, rule(100, DAY), 40), 40);
    assert_eq!(allowed(&limits, rule(100, MINUTE), 500), 60);
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, rule(100, MINUTE), 500), 100);
}

/// Checks with the old rule come between checks with the new one.
#[test]
fn no_order_of_rules_allows_extra_requests() {
    for (low, high) in [(10, 100), (1, 7), (3, 1_000_000)] {
        let (_clock, limits) = limits();
        let used = allowed(&limits, rule(high, DAY), high / 2);
        for _ in 0..1_000 {
            assert_eq!(allowed(&limits, rule(low, DAY), 1), 0);
            check(&limits, "key", rule(high, DAY), cost(high));
            check(&limits, "key", rule(high, MINUTE), cost(high));
        }
        assert_eq!(used + allowed(&limits, rule(high, DAY), high), high);
    }
}

#[test]
fn a_surplus_is_forgotten_with_its_window() {
    let (clock, limits) = limits();
    assert_eq!(allowed(&limits, rule(100, DAY), 100), 100);
    assert_eq!(allowed(&limits, rule(10, MINUTE), 1), 0);
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, rule(100, DAY), 500), 100);
}

/// Fractions of requests are rounded when they are carried over, in the same way in both directions.
#[test]
fn going_back_and_forth_does_not_drift() {
    let (clock, limits) = limits();
    let second = Duration::from_secs(1);
    let [coarse, fine] = [rule(7, second), rule(1_000_000, second)];
    assert_eq!(allowed(&limits, coarse, 5), 5);
    clock.advance(Duration::from_nanos(123_456_789));
    let left = |rule: Rule| {
        // Too costly to be charged, so it only reports what is left.
        let Decision::Refused { rate_limit, .. } = check(&limits, "key", rule, cost(u32::MAX))
        else {
            panic!("allowed");
        };
        rate_limit
    };
    let before = (left(coarse), left(fine));
    for _ in 0..10_000 {
        assert_eq!((left(coarse), left(fine)), before);
    }
}

#[test]
fn a_change_counts_from_when_it_was_made() {
    let (clock, limits) = limits();
    let [slow, fast] = [rule(1, DAY), rule(1, Duration::from_secs(1))];
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, slow, 2), 1);
    clock.advance(MINUTE);
    limits.note_change(&id("key"));
    clock.advance(Duration::from_millis(999));
    assert_eq!(allowed(&limits, fast, 2), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(allowed(&limits, fast, 2), 1);
    // The change was used up: one that was not noted counts from its first check.
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, slow, 2), 1);
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, fast, 1), 0);
}

#[test]
fn a_change_of_another_kind_forgives_nothing() {
    let (clock, limits) = limits();
    let [slow, fast] = [rule(1, DAY), rule(1, MINUTE)];
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, slow, 2), 1);
    limits.note_change_of_all();
    clock.advance(DAY / 2);
    assert_eq!(allowed(&limits, slow, 1), 0);
    limits.note_change(&id("key"));
    assert_eq!(allowed(&limits, fast, 1), 0);
    clock.advance(MINUTE);
    assert_eq!(allowed(&limits, fast, 2), 1);
}
