//! Use by several processes.

use super::*;

const INTERVAL: Duration = Duration::from_secs(1);

fn fleet_use(total: u64) -> FleetUse {
    FleetUse {
        generation: 0,
        total,
        debt_ns: 0,
        interval_ns: 1,
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap()
}

/// The use of one key in several processes, and the fleet total as the flush keeps it.
struct Fleet {
    clock: FakeRelativeClock,
    processes: Vec<(Limiters<FakeRelativeClock>, u64)>,
    total: u64,
}

impl Fleet {
    fn new(processes: usize) -> Self {
        let clock = FakeRelativeClock::default();
        let process = |_| (Limiters::new(clock.clone()), 0);
        Self {
            processes: (0..processes).map(process).collect(),
            clock,
            total: 0,
        }
    }

    /// Sends this many requests in each process; returns how many passed in all.
    fn offer(&mut self, rule: Rule, tries: u32) -> u64 {
        let mut passed = 0;
        for (limits, unsent) in &mut self.processes {
            let allowed = u64::from(allowed(limits, rule, tries));
            *unsent += allowed;
            passed += allowed;
        }
        passed
    }

    fn flush(&mut self, rule: Rule) {
        for (limits, unsent) in &mut self.processes {
            self.total += *unsent;
            limits
                .entry(&id("key"), rule)
                .reconcile(fleet_use(self.total), *unsent);
            *unsent = 0;
        }
        // The processes that flushed earlier now learn the rest.
        for (limits, _) in &self.processes {
            limits
                .entry(&id("key"), rule)
                .reconcile(fleet_use(self.total), 0);
        }
    }
}

#[test]
fn use_by_others_is_charged_once() {
    let (_clock, limits) = limits();
    let ten = rule(10, DAY);
    let limiter = limits.entry(&id("key"), ten);
    assert_eq!(allowed(&limits, ten, 2), 2);
    limiter.reconcile(fleet_use(1_002), 2);
    assert_eq!(allowed(&limits, ten, 1), 1, "earlier use is no part of it");
    limiter.reconcile(fleet_use(1_008), 1);
    assert_eq!(allowed(&limits, ten, 5), 2);
    limiter.reconcile(fleet_use(1_010), 2);
    limiter.reconcile(fleet_use(1_010), 0);
    assert_eq!(allowed(&limits, ten, 5), 0);
}

#[test]
fn a_later_process_begins_where_the_others_are() {
    let (clock, limits) = limits();
    let ten = rule(10, DAY);
    assert_eq!(allowed(&limits, ten, 3), 3);
    let fleet = FleetUse {
        debt_ns: nanos(DAY / 2),
        interval_ns: nanos(DAY / 10),
        ..fleet_use(3)
    };
    limits.entry(&id("key"), ten).reconcile(fleet, 3);
    assert_eq!(allowed(&limits, ten, 9), 2);
    // Full again, so the fleet total is no longer followed.
    clock.advance(2 * DAY);
    flush(&limits);
    assert_eq!(allowed(&limits, ten, 1), 1);
    limits
        .entry(&id("key"), ten)
        .reconcile(fleet_use(1_000_000), 1);
    assert_eq!(allowed(&limits, ten, 10), 9);
}

#[test]
fn a_first_check_begins_where_the_others_are() {
    let (clock, limits) = limits();
    let ten = rule(10, DAY);
    let fleet = FleetUse {
        debt_ns: nanos(DAY * 7 / 10),
        interval_ns: nanos(DAY / 10),
        ..fleet_use(7)
    };
    let limiter = limits.entry(&id("key"), ten);
    limiter.join(fleet, Duration::ZERO);
    assert_eq!(allowed(&limits, ten, 2), 2);
    // What is read later may contain the use of this process.
    limiter.join(FleetUse { total: 9, ..fleet }, Duration::ZERO);
    limiter.reconcile(FleetUse { total: 9, ..fleet }, 2);
    assert_eq!(allowed(&limits, ten, 5), 1);
    clock.advance(2 * DAY);
    flush(&limits);
    limiter.join(fleet, Duration::ZERO);
    assert_eq!(allowed(&limits, ten, 10), 3);
}

#[test]
fn a_process_that_has_used_a_key_takes_over_nothing_that_may_be_its_own() {
    let (_clock, limits) = limits();
    let ten = rule(10, DAY);
    assert_eq!(allowed(&limits, ten, 3), 3);
    let fleet = FleetUse {
        debt_ns: nanos(DAY * 3 / 10),
        interval_ns: nanos(DAY / 10),
        ..fleet_use(3)
    };
    limits.entry(&id("key"), ten).join(fleet, Duration::ZERO);
    assert_eq!(allowed(&limits, ten, 10), 7);
}

#[test]
fn use_by_another_rule_is_taken_over_as_use() {
    let (day, second) = (nanos(DAY), 1_000_000_000);
    for (changed_ago, own, interval_ns, debt_ns, wait_ms) in [
        (0, DAY, day, day / 2, 43_200_000),
        (0, DAY, second, second / 2, 43_200_000),
        (0, Duration::from_secs(1), day, day / 2, 500),
        (5, Duration::from_secs(1), day, day - 5 * second, 0),
        (5, DAY, second, second / 2, 43_200_000),
    ] {
        let (_clock, limits) = limits();
        let one = rule(1, own);
        let fleet = FleetUse {
            debt_ns,
            interval_ns,
            ..fleet_use(1)
        };
        let limiter = limits.entry(&id("key"), one);
        limiter.join(fleet, Duration::from_secs(changed_ago));
        let waits = match limiter.check(one, cost(1)) {
            Decision::Allowed(_) => 0,
            Decision::Refused { retry_after_ms, .. } => retry_after_ms.unwrap(),
        };
        assert_eq!(waits, wait_ms, "{changed_ago} s, {own:?}, {interval_ns}");
    }
}

#[test]
fn others_are_told_of_what_is_not_available_again() {
    let (clock, limits) = limits();
    let ten = rule(10, DAY);
    assert_eq!(allowed(&limits, ten, 5), 5);
    clock.advance(DAY * 2 / 10);
    let share = limits.entry(&id("key"), ten).share(5);
    assert_eq!(share.debt_ns, nanos(DAY * 3 / 10));
    assert_eq!(share.interval_ns, nanos(DAY / 10));
    assert_eq!(share.longest_ns, nanos(2 * DAY));
    assert_eq!(
        limits.entry(&id("key"), ten).share(2).debt_ns,
        nanos(DAY * 2 / 10)
    );
}

#[test]
fn a_reset_elsewhere_applies_and_use_before_it_is_not_charged() {
    let (_clock, limits) = limits();
    let ten = rule(10, DAY);
    let limiter = limits.entry(&id("key"), ten);
    assert_eq!(allowed(&limits, ten, 10), 10);
    limiter.reconcile(fleet_use(10), 10);
    let reset_elsewhere = FleetUse {
        generation: 1,
        ..fleet_use(1)
    };
    limiter.reconcile(reset_elsewhere, 0);
    assert_eq!(allowed(&limits, with_generation(ten, 1), 1), 1);
    limiter.reconcile(fleet_use(50), 0);
    assert_eq!(allowed(&limits, with_generation(ten, 1), 10), 8);
    // Reset in this process first: the new total counts from its beginning.
    let again = with_generation(ten, 2);
    assert_eq!(allowed(&limits, again, 1), 1);
    let fleet = FleetUse {
        generation: 2,
        ..fleet_use(4)
    };
    limiter.reconcile(fleet, 1);
    assert_eq!(allowed(&limits, again, 10), 6);
}

/// An hour at 99 % of the limit, spread over four processes that flush at different times.
#[test]
fn steady_traffic_below_the_limit_is_never_refused_in_a_fleet() {
    for limit in [8_u32, 100, 1_000] {
        let mut fleet = Fleet::new(4);
        let rule = rule(limit, MINUTE);
        let pause = MINUTE.mul_f64(1.0 / (f64::from(limit) * 0.99));
        let (mut elapsed, mut flush_at, mut turn) = (Duration::ZERO, INTERVAL, 0);
        while elapsed < Duration::from_secs(3_600) {
            let (limits, unsent) = &mut fleet.processes[turn % 4];
            assert_eq!(allowed(limits, rule, 1), 1, "{limit} after {elapsed:?}");
            *unsent += 1;
            turn += 1;
            fleet.clock.advance(pause);
            elapsed += pause;
            if elapsed >= flush_at {
                fleet.flush(rule);
                flush_at = elapsed + INTERVAL;
            }
        }
    }
}

/// Ten times the limit on four processes: the excess is at most what passes in one flush interval, and it is charged
/// afterwards.
#[test]
fn a_fleet_holds_the_limit_within_an_interval() {
    for limit in [100_u32, 1_000, 10_000] {
        let mut fleet = Fleet::new(4);
        let rule = rule(limit, MINUTE);
        let steps_per_second = 10;
        let step = INTERVAL / steps_per_second;
        let per_step = (10 * limit).div_ceil(60 * steps_per_second * 4);
        let offered_per_interval = u64::from(per_step) * 4 * u64::from(steps_per_second);
        let mut passed = 0;
        for number in 1..=600 * steps_per_second {
            passed += fleet.offer(rule, per_step);
            fleet.clock.advance(step);
            if number % steps_per_second == 0 {
                fleet.flush(rule);
            }
            let returned = u64::from(limit) * u64::from(number) / u64::from(60 * steps_per_second);
            let bound = u64::from(limit) + returned + offered_per_interval;
            assert!(passed <= bound, "{passed} of {limit} after {number} steps");
        }
        assert!(passed >= 10 * u64::from(limit), "{passed} of {limit}");
    }
}
