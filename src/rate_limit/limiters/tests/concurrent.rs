//! Threads and a real clock.

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::thread;

use super::*;
use crate::rate_limit::cell::GcraCell;

const THREADS: u32 = 8;

/// Runs `work` on eight threads that begin together, and returns the sum of their results.
fn together(work: impl Fn(u32) -> u32 + Sync) -> u32 {
    let (barrier, work) = (Barrier::new(THREADS as usize), &work);
    thread::scope(|scope| {
        let start = |number| {
            let barrier = &barrier;
            scope.spawn(move || {
                barrier.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(start).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    })
}

#[test]
fn exactly_the_limit_is_allowed() {
    for limit in [1, 100, 5_000] {
        let limits = Limiters::new(MonotonicClock);
        assert_eq!(
            together(|_| allowed(&limits, rule(limit, DAY), 5_000)),
            limit
        );
    }
}

#[test]
fn requests_up_to_the_limit_are_all_allowed() {
    let limits = Limiters::new(MonotonicClock);
    let exact = rule(THREADS * 500, DAY);
    assert_eq!(together(|_| allowed(&limits, exact, 500)), THREADS * 500);
}

/// Another thread charges at 100 while one that read the clock at 50 is still checking: that charge must not look like
/// 50 more of debt than there is.
#[test]
fn a_charge_between_clock_and_state_refuses_no_request() {
    let cell = GcraCell::new(rule(2, DAY));
    let reads = Cell::new(0);
    let now = || {
        reads.set(reads.get() + 1);
        if reads.get() > 1 {
            return 200;
        }
        assert!(matches!(cell.charge(cost(1), || 100), Decision::Allowed(_)));
        50
    };
    let decision = cell.charge(cost(1), now);
    assert!(matches!(decision, Decision::Allowed(_)), "{decision:?}");
    assert!(matches!(
        cell.charge(cost(1), || 300),
        Decision::Refused { .. }
    ));
}

/// Threads with different rules together pass at most as many requests as the largest rule allows: a limit that is used
/// up under a smaller rule stays used up.
#[test]
fn changing_rules_allow_no_extra_requests() {
    let limits = Limiters::new(MonotonicClock);
    let mixed = |number| allowed(&limits, rule(100 + 50 * (number % 3), DAY), 2_000);
    let passed = together(mixed);
    assert_eq!(passed, 200);
}

/// During constant sweeps, limiters are created and used up, and they stay used up.
#[test]
fn a_sweep_forgets_no_use() {
    let limits = Limiters::new(MonotonicClock);
    let done = AtomicBool::new(false);
    let keys = 500;
    let passed = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                flush(&limits);
            }
        });
        together(|_| {
            for key in 0..keys {
                let decision = check(&limits, &key.to_string(), rule(3, DAY), cost(1));
                passed.fetch_add(u32::from(matches!(decision, Decision::Allowed(_))), SeqCst);
            }
            0
        });
        done.store(true, SeqCst);
    });
    assert_eq!(passed.load(SeqCst), 3 * keys);
    assert_eq!(limits.len(), keys as usize);
}
