//! A model of the database and of several processes, by a clock of the test's own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::error::Error;
use crate::model::{LimitOwner, Moment, Timestamp};

const PATIENCE: Duration = Duration::from_millis(500);

/// A moment so many milliseconds after the first.
struct Clock(Instant);

impl Clock {
    fn at(&self, millis: u64) -> Moment {
        Moment {
            instant: self.0 + Duration::from_millis(millis),
            time: Timestamp::from_millis(i64::try_from(millis).unwrap()),
        }
    }
}

fn setting() -> (Clock, Leases, Arc<Lease>) {
    let leases = Leases::default();
    let lease = leases.entry(LimitOwner::Client("c"), "calls");
    (Clock(Instant::now()), leases, lease)
}

fn answer(leased: i64, spent: i64, free: i64) -> LeaseAnswer {
    LeaseAnswer {
        amount: 100,
        free,
        withheld: 0,
        resets_in: Some(Duration::from_secs(10)),
        leases: vec![LeasedPart {
            balance: 1,
            leased,
            spent,
            ends_in: Some(Duration::from_secs(10)),
        }],
    }
}

/// Has the database answer.
fn ask(lease: &Arc<Lease>, purpose: Purpose, now: Moment, answer: LeaseAnswer) -> LeaseRequest {
    let asking = Asking::begin(lease, purpose, now).unwrap();
    let request = asking.request.clone();
    asking.end(Ok(answer), None, PATIENCE, now);
    request
}

fn charge(lease: &Lease, cost: u32, now: Moment) -> QuotaAnswer {
    lease.charge(cost, now).0
}

fn is_charged(lease: &Lease, cost: u32, now: Moment) -> bool {
    matches!(charge(lease, cost, now), QuotaAnswer::Charged(_))
}

#[test]
fn units_are_spent_once_and_only_after_they_were_leased() {
    let (clock, _, lease) = setting();
    let now = clock.at(0);
    assert_eq!(charge(&lease, 1, now), QuotaAnswer::Unknown);
    ask(&lease, Purpose::Lease, now, answer(3, 0, 5));
    assert!(is_charged(&lease, 2, now));
    assert_eq!(charge(&lease, 2, now), QuotaAnswer::Unknown);
    assert!(is_charged(&lease, 1, now));
    let request = ask(&lease, Purpose::Report, now, answer(3, 3, 0));
    let spent = SpentPart {
        balance: 1,
        spent: 3,
    };
    assert_eq!(request.held, [spent]);
    let refused = QuotaAnswer::Exceeded {
        retry_after_ms: Some(10_000),
    };
    assert_eq!(charge(&lease, 1, now), refused);
}

#[test]
fn what_was_spent_during_a_statement_is_not_there_again_after_it() {
    let (clock, _, lease) = setting();
    let now = clock.at(0);
    ask(&lease, Purpose::Lease, now, answer(10, 0, 90));
    let asking = Asking::begin(&lease, Purpose::Lease, now).unwrap();
    assert!(!asking.request.is_still);
    assert!(is_charged(&lease, 7, now));
    asking.end(Ok(answer(15, 0, 85)), None, PATIENCE, now);
    assert_eq!(lease.unspent(now), 8);
}

#[test]
fn nothing_is_spent_while_it_is_given_back_nor_if_the_outcome_is_unknown() {
    let (clock, _, lease) = setting();
    let now = clock.at(0);
    ask(&lease, Purpose::Lease, now, answer(10, 0, 90));
    let asking = Asking::begin(&lease, Purpose::Return, now).unwrap();
    assert_eq!((asking.request.wanted, asking.request.is_still), (0, true));
    assert_eq!(charge(&lease, 1, now), QuotaAnswer::Unknown);
    asking.end(Err(Error::unavailable("away")), None, PATIENCE, now);
    assert_eq!(charge(&lease, 1, now), QuotaAnswer::Unknown);
    ask(&lease, Purpose::Report, now, answer(10, 0, 90));
    assert!(is_charged(&lease, 1, now));
}

#[test]
fn a_change_during_a_statement_makes_its_answer_doubtful() {
    let (clock, leases, lease) = setting();
    let now = clock.at(0);
    let asking = Asking::begin(&lease, Purpose::Lease, now).unwrap();
    leases.note_change(&lease.key.id);
    asking.end(Ok(answer(10, 0, 90)), None, PATIENCE, now);
    assert_eq!(charge(&lease, 1, now), QuotaAnswer::Unknown);
    ask(&lease, Purpose::Lease, now, answer(10, 0, 90));
    assert!(is_charged(&lease, 1, now));
}

#[test]
fn a_lease_ends_with_its_period_by_either_clock() {
    let (clock, _, lease) = setting();
    ask(&lease, Purpose::Lease, clock.at(0), answer(10, 0, 90));
    assert!(is_charged(&lease, 1, clock.at(9_999)));
    // The monotonic clock stood still with the machine.
    let asleep = Moment {
        instant: clock.at(0).instant,
        time: clock.at(10_000).time,
    };
    assert_eq!(charge(&lease, 1, asleep), QuotaAnswer::Unknown);
    assert_eq!(lease.unspent(asleep), 0);
    // What was spent of it is told, and not there again where the database says that it has not ended yet.
    let request = ask(&lease, Purpose::Lease, asleep, answer(10, 0, 90));
    assert_eq!(request.held.len(), 1);
    assert_eq!(lease.unspent(asleep), 9);
}

#[test]
fn what_is_given_back_after_the_end_of_its_balance_is_gone() {
    let (clock, _, lease) = setting();
    let now = clock.at(0);
    ask(&lease, Purpose::Lease, now, answer(10, 0, 90));
    let QuotaAnswer::Charged(taken) = charge(&lease, 10, now) else {
        panic!("not charged");
    };
    lease.give_back(&taken);
    assert_eq!(lease.unspent(now), 10);
    assert!(is_charged(&lease, 10, now));
    let next = LeaseAnswer {
        leases: vec![LeasedPart {
            balance: 2,
            leased: 1,
            spent: 0,
            ends_in: None,
        }],
        ..answer(0, 0, 0)
    };
    ask(&lease, Purpose::Lease, clock.at(10_001), next);
    lease.give_back(&taken);
    assert_eq!(lease.unspent(clock.at(10_001)), 1);
}

#[test]
fn those_who_wait_are_answered_in_their_turn_and_refused_only_when_nothing_is_left() {
    let (clock, leases, lease) = setting();
    let now = clock.at(0);
    let mut waits: Vec<_> = (0..4).map(|_| lease.wait(2)).collect();
    let asking = Asking::begin(&lease, Purpose::Lease, now).unwrap();
    assert_eq!((asking.request.wanted, asking.request.needed), (8, 2));
    let next = asking.end(Ok(answer(4, 0, 3)), None, PATIENCE, now);
    assert_eq!(next, Some(Duration::ZERO));
    let mut answered = |index: usize| waits[index].try_recv().is_ok();
    assert_eq!([0, 1, 2, 3].map(&mut answered), [true, true, false, false]);
    assert!(is_charged(&lease, 4, now));
    let asking = Asking::begin(&lease, Purpose::Lease, now).unwrap();
    assert_eq!(asking.end(Ok(answer(7, 4, 0)), None, PATIENCE, now), None);
    assert_eq!([2, 3].map(&mut answered), [true, true]);
    leases.sweep(now);
}

#[test]
fn a_statement_that_is_postponed_leaves_those_who_wait_to_the_next() {
    let (clock, _, lease) = setting();
    let mut wait = lease.wait(1);
    let asking = Asking::begin(&lease, Purpose::Report, clock.at(0)).unwrap();
    assert!(Asking::begin(&lease, Purpose::Report, clock.at(0)).is_none());
    assert!(asking.postpone());
    assert!(wait.try_recv().is_err());
    ask(&lease, Purpose::Lease, clock.at(0), answer(1, 0, 0));
    assert!(wait.try_recv().is_ok());
}

#[test]
fn more_is_leased_by_recent_use_and_kept_for_no_longer_than_it_is_used() {
    let (clock, leases, lease) = setting();
    let mut had = 10;
    ask(&lease, Purpose::Lease, clock.at(0), answer(had, 0, 90));
    for millis in 0..6 {
        assert!(is_charged(&lease, 1, clock.at(millis)));
    }
    // A second's use times ten, but eight times as much at most.
    let request = ask(&lease, Purpose::Lease, clock.at(1_000), answer(had, 6, 90));
    assert_eq!(request.wanted, 48);
    had += 48;
    ask(&lease, Purpose::Lease, clock.at(1_000), answer(had, 6, 90));
    let idle = Duration::from_secs(5);
    assert!(leases.due(idle, clock.at(1_000)).is_empty());
    let due = leases.due(idle, clock.at(6_000));
    assert!(matches!(&due[..], [(Purpose::Return, batch)] if batch.len() == 1));
}

#[test]
fn units_of_others_are_waited_for_as_long_as_they_may_come() {
    let (clock, leases, lease) = setting();
    let held_by_others = |withheld| LeaseAnswer {
        withheld,
        ..answer(1, 1, 0)
    };
    let mut wait = lease.wait(3);
    let mut millis = 0;
    let ask_again = |millis: u64, withheld| {
        let asking = Asking::begin(&lease, Purpose::Lease, clock.at(millis)).unwrap();
        let unreturned = asking.request.unreturned;
        let answer = Ok(held_by_others(withheld));
        let next = asking.end(answer, None, PATIENCE, clock.at(millis));
        (unreturned, next)
    };
    while let (0, Some(pause)) = ask_again(millis, 5) {
        assert!(wait.try_recv().is_err());
        millis += u64::try_from(pause.as_millis()).unwrap();
    }
    assert!((500..600).contains(&millis), "{millis}");
    assert!(wait.try_recv().is_ok());
    let refused = |charged| matches!(charged, QuotaAnswer::Exceeded { .. });
    assert!(refused(charge(&lease, 3, clock.at(millis))));
    // Those are of a process that is gone. Nobody waits for them again, but for what others have leased since.
    let mut wait = lease.wait(3);
    assert_eq!(ask_again(2_000, 7), (5, None));
    assert!(wait.try_recv().is_ok());
    let _wait = lease.wait(3);
    assert!(ask_again(2_000, 8).1.is_some());
    leases.sweep(clock.at(2_000));
}

#[test]
fn what_another_process_needs_is_given_back() {
    let (clock, leases, lease) = setting();
    let now = clock.at(0);
    leases.recall(&lease.key.id, now);
    assert!(leases.next_batch().is_empty());
    ask(&lease, Purpose::Lease, now, answer(10, 0, 0));
    leases.recall(&lease.key.id, now);
    assert_eq!(leases.next_batch().len(), 1);
    let request = ask(&lease, Purpose::Lease, now, answer(0, 0, 10));
    assert_eq!((request.wanted, request.is_still), (0, true));
}
