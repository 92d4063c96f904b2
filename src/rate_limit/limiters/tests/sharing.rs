//! What processes tell each other of their use, and what they hold back.

mod million;

use std::collections::BTreeMap;

use super::*;
use crate::rate_limit::Share;

const SECOND_NS: u64 = 1_000_000_000;
/// The time in which no other may have told any use before a process is alone again.
const ALONE_AFTER: u64 = 10 * SECOND_NS;

#[derive(Clone, Copy)]
struct Row {
    total: u64,
    full_at: u64,
    process: usize,
    shared_at: Option<u64>,
    is_alone: bool,
}

/// The tables `spent` and `shared_limits`, with the rules of the statements that write them.
#[derive(Default)]
struct Database {
    spent: BTreeMap<LimitId, Row>,
    shared_limits: Vec<Vec<LimitId>>,
    tells: u64,
    notes: u64,
}

impl Database {
    fn tell(
        &mut self,
        process: usize,
        id: &LimitId,
        cost: i64,
        share: Share,
        now: u64,
    ) -> (FleetUse, bool) {
        self.tells += 1;
        let cost = u64::try_from(cost).unwrap();
        let fresh = Row {
            total: 0,
            full_at: now,
            process,
            shared_at: None,
            is_alone: true,
        };
        let before = *self.spent.entry(id.clone()).or_insert(fresh);
        if before.is_alone && before.process != process {
            self.shared_limits[before.process].push(id.clone());
            self.notes += 1;
        }
        let shared_at = if before.process == process {
            before.shared_at
        } else {
            Some(now)
        };
        let debt = (before.full_at.max(now) - now + share.debt_ns).min(share.longest_ns);
        let row = Row {
            total: before.total + cost,
            full_at: now + debt,
            process,
            shared_at,
            is_alone: shared_at.is_none_or(|at| at + ALONE_AFTER < now),
        };
        self.spent.insert(id.clone(), row);
        (Self::total(row, share, now), row.is_alone)
    }

    /// The total, with the debt of the others alone.
    fn total(row: Row, own: Share, now: u64) -> FleetUse {
        FleetUse {
            generation: 0,
            total: row.total,
            debt_ns: (row.full_at.max(now) - now).saturating_sub(own.debt_ns),
            interval_ns: own.interval_ns,
        }
    }
}

struct Fleet {
    clock: FakeRelativeClock,
    now: u64,
    database: Database,
    processes: Vec<Limiters<FakeRelativeClock>>,
    /// As cached keys hold them.
    handles: Vec<BTreeMap<LimitId, Arc<Limiter<FakeRelativeClock>>>>,
}

impl Fleet {
    fn new(processes: usize) -> Self {
        let clock = FakeRelativeClock::default();
        Self {
            processes: (0..processes)
                .map(|_| Limiters::new(clock.clone()))
                .collect(),
            database: Database {
                shared_limits: vec![Vec::new(); processes],
                ..Database::default()
            },
            handles: vec![BTreeMap::new(); processes],
            now: 0,
            clock,
        }
    }

    fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.now += u64::try_from(by.as_nanos()).unwrap();
    }

    /// A request, by a process that reads what the others have told before its first one.
    fn request(&mut self, process: usize, id: &LimitId, rule: Rule, units: u32) -> bool {
        let limits = &self.processes[process];
        if limits.find(id).is_none() {
            let limiter = limits.entry(id, rule);
            self.handles[process].insert(id.clone(), Arc::clone(&limiter));
            if let Some(row) = self.database.spent.get(id) {
                let none = Share {
                    interval_ns: rule.emission_interval_ns(),
                    ..Share::AVAILABLE
                };
                limiter.join(Database::total(*row, none, self.now), Duration::ZERO);
            }
        }
        matches!(
            limits.entry(id, rule).check(rule, cost(units)),
            Decision::Allowed(_)
        )
    }

    /// What a flush does.
    fn flush(&mut self, process: usize, all: bool) {
        let limits = &self.processes[process];
        if let Some(asked_at) = limits.ask_whether_alone() {
            limits.end_alone(&std::mem::take(&mut self.database.shared_limits[process]));
            limits.known_alone(asked_at);
        }
        for (id, told) in limits.take_unshared(all) {
            let limiter = limits.find(&id).unwrap();
            let own = u64::try_from(told.cost).unwrap();
            let share = limiter.share(own);
            let (total, is_alone) = self.database.tell(process, &id, told.cost, share, self.now);
            limiter.reconcile(total, own);
            limits.note_told(&limiter, is_alone);
        }
        for id in limits.sweep() {
            if let Some(row) = self.database.spent.get(&id) {
                let limiter = limits.find(&id).unwrap();
                let none = limiter.share(0);
                limiter.reconcile(Database::total(*row, none, self.now), 0);
            }
        }
    }
}

fn told(fleet: &Fleet, id: &LimitId) -> u64 {
    fleet.database.spent.get(id).map_or(0, |row| row.total)
}

#[test]
fn a_process_that_is_alone_tells_its_first_use_and_then_what_is_near_the_limit() {
    let mut fleet = Fleet::new(1);
    let (id, hundred) = (id("key"), rule(100, DAY));
    for (units, known) in [(1, 1), (8, 1), (1, 10), (1, 11), (50, 61)] {
        assert!(fleet.request(0, &id, hundred, units));
        fleet.flush(0, false);
        assert_eq!(told(&fleet, &id), known);
    }
    fleet.advance(DAY);
    assert!(fleet.request(0, &id, hundred, 5));
    fleet.flush(0, false);
    assert_eq!(told(&fleet, &id), 66, "it tells something each hour");
    assert!(fleet.request(0, &id, hundred, 4));
    fleet.flush(0, false);
    assert_eq!(told(&fleet, &id), 66);
    fleet.flush(0, true);
    assert_eq!(told(&fleet, &id), 70);
}

#[test]
fn what_is_available_again_is_not_told() {
    let mut fleet = Fleet::new(2);
    let (id, hundred) = (id("key"), rule(100, Duration::from_secs(100)));
    assert!(fleet.request(0, &id, hundred, 1));
    fleet.flush(0, false);
    for _ in 0..1_000 {
        fleet.advance(Duration::from_secs(1));
        assert!(fleet.request(0, &id, hundred, 1));
        fleet.flush(0, false);
    }
    fleet.advance(Duration::from_secs(1));
    assert_eq!(told(&fleet, &id), 1);
    assert!(fleet.request(1, &id, hundred, 50));
    assert!(fleet.request(0, &id, hundred, 3));
    fleet.flush(1, false);
    fleet.flush(0, false);
    assert_eq!(
        told(&fleet, &id),
        55,
        "but for the last one, the thousand are available again"
    );
    fleet.flush(1, false);
    for process in 0..2 {
        assert!(!fleet.request(process, &id, hundred, 48));
        assert!(fleet.request(process, &id, hundred, 20));
    }
}

#[test]
fn use_of_others_counts_however_long_a_process_was_alone() {
    let mut fleet = Fleet::new(2);
    let (id, hundred) = (id("key"), rule(100, DAY));
    assert!(fleet.request(0, &id, hundred, 5));
    for _ in 0..1_800 {
        fleet.flush(0, false);
        fleet.advance(Duration::from_secs(1));
    }
    assert!(fleet.request(1, &id, hundred, 90));
    fleet.flush(1, false);
    fleet.advance(Duration::from_secs(1));
    fleet.flush(0, false);
    // Two of the first five are available again.
    assert!(!fleet.request(0, &id, hundred, 8));
    assert!(fleet.request(0, &id, hundred, 7));
}

#[test]
fn a_process_without_use_drops_its_limiter_whatever_it_held_back() {
    let mut fleet = Fleet::new(1);
    let (id, ten) = (id("key"), rule(1_000, MINUTE));
    for _ in 0..2 {
        assert!(fleet.request(0, &id, ten, 1));
        fleet.flush(0, false);
    }
    assert!(fleet.processes[0].has_unshared());
    fleet.advance(MINUTE);
    fleet.handles[0].clear();
    fleet.flush(0, false);
    assert!(fleet.processes[0].is_empty());
}

#[test]
fn nothing_is_held_back_once_everything_may_have_changed() {
    let mut fleet = Fleet::new(1);
    let (id, hundred) = (id("key"), rule(100, DAY));
    for _ in 0..2 {
        assert!(fleet.request(0, &id, hundred, 2));
        fleet.flush(0, false);
    }
    assert_eq!(told(&fleet, &id), 2);
    fleet.processes[0].note_change_of_all();
    fleet.flush(0, false);
    assert_eq!(told(&fleet, &id), 4);
}
